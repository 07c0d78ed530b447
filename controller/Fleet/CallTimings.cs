namespace Decant.Controller.Fleet;

/// <summary>
/// When an agent that says nothing counts as gone. All of it is measured, not read off the clock on the wall. Leases have times of their
/// own (<see cref="LeaseTimings"/>), and so has the question whether to ask again (<see cref="Execution.ExecutorOptions"/>).
/// </summary>
internal sealed record CallTimings
{
    /// <summary>For a connection.</summary>
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>For the answer to a short question that says nothing else.</summary>
    public TimeSpan Answer { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For the answer to "cancel this operation".</summary>
    public TimeSpan Cancel { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Without a word for so long, the agent is asked whether it is there (an HTTP/2 ping). Steps take minutes without a word: they have no
    /// deadline here but the one that the agent keeps for them.
    /// </summary>
    public TimeSpan PingDelay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>And for the answer to that: then the connection is dead, and everything that ran over it has failed.</summary>
    public TimeSpan PingTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// On a connection that carries an archive, TCP says when the other side is gone: what was sent is not acknowledged for so long
    /// (TCP_USER_TIMEOUT, tcp(7)). A ping would wait behind what was sent before it, which over a slow link is longer than any good limit.
    /// </summary>
    public TimeSpan Unacknowledged { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The answer to a ping on a connection that carries an archive, when all of that is on its way before it.</summary>
    public TimeSpan BulkPingTimeout { get; init; } = TimeSpan.FromSeconds(60);
}
