namespace Decant.Agent.State;

/// <summary>Bytes of the agent's database are not those that were written.</summary>
internal sealed class DatabaseDamagedException(string message) : Exception(message);
