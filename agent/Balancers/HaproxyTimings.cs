namespace Decant.Agent.Balancers;

/// <summary>How long HAProxy is given, and how often it is asked.</summary>
internal sealed record HaproxyTimings
{
    /// <summary>For a connection to the stats socket.</summary>
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>For the whole answer to one command.</summary>
    public TimeSpan Answer { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Between two looks at a member: HAProxy has no event for its sessions. One look was measured at 0.1 to 0.3 ms.</summary>
    public TimeSpan Look { get; init; } = TimeSpan.FromMilliseconds(25);

    /// <summary>How long it may be gone in the middle of an operation (it is restarted) before it is called unreachable.</summary>
    public TimeSpan Gone { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a server that is to be deleted may still have sessions.</summary>
    public TimeSpan Removal { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Between two looks for websockets at a member that drains: HAProxy lists all of its streams for one.</summary>
    public TimeSpan LongLivedLook { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// From the drain until "no sessions" is believed: another thread of HAProxy may have chosen the member just before, and counts
    /// its request a moment later.
    /// </summary>
    public TimeSpan Settle { get; init; } = TimeSpan.FromMilliseconds(20);
}
