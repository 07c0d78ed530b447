namespace Decant.Controller.Fleet;

/// <summary>How long leases last and are waited for.</summary>
internal sealed record LeaseTimings
{
    /// <summary>How long a lease lasts without a renewal. It is renewed after a third of it.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>When an agent must have answered. Less than two thirds of the duration: after one renewal that was lost another comes in time.</summary>
    public TimeSpan CallDeadline { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>How long an agent waits for what an earlier holder began.</summary>
    public TimeSpan WaitForEarlier { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long an agent that does not answer when its lease is taken is asked again: longer than one takes to start after it died.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(7);
}
