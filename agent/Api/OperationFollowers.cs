namespace Decant.Agent.Api;

/// <summary>
/// The callers that follow operations. None of them holds more than a message: who reads slowly waits for himself. But each costs a
/// stream, and without a limit here a caller that leaks them would take the agent's memory.
/// </summary>
internal sealed class OperationFollowers() : Followers(
    Most, $"{Most} callers follow operations on this host already; nothing was begun", "end some of them; operations go on without a caller")
{
    /// <summary>How many may follow at once.</summary>
    public const int Most = 256;
}
