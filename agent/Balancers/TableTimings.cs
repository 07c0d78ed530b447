namespace Decant.Agent.Balancers;

/// <summary>How long a balancer is given whose configuration is written as a whole, and how often it is asked.</summary>
internal sealed record TableTimings
{
    /// <summary>Between two looks at a member that drains or is to come up.</summary>
    public TimeSpan Look { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How long the balancer may be gone in the middle of a drain (it is restarted) before it is called unreachable.</summary>
    public TimeSpan Gone { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// From the change until "nothing in flight" is believed: a request may have chosen the member just before and be counted a moment later.
    /// </summary>
    public TimeSpan Settle { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>For one answer of the balancer, its test of a configuration included.</summary>
    public TimeSpan Answer { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Until a reload has taken effect.</summary>
    public TimeSpan Reload { get; init; } = TimeSpan.FromSeconds(10);
}
