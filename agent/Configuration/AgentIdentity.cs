namespace Decant.Agent.Configuration;

/// <summary>Who this agent is.</summary>
/// <param name="Host">The host's name in agent.yml, or the machine's.</param>
/// <param name="StartedAt">When this agent process started.</param>
internal sealed record AgentIdentity(string Host, DateTimeOffset StartedAt)
{
    /// <summary>Version of decantd.</summary>
    public static string Version { get; } = typeof(AgentIdentity).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
}
