using Decant.Agent.Configuration;

namespace Decant.Agent.Instances;

/// <summary>How long to wait before an instance that died is started again: doubling, capped, and forgotten after a long enough run.</summary>
/// <param name="Settings">From agent.yml.</param>
/// <param name="Failures">Deaths in a row.</param>
internal readonly record struct Backoff(RestartSettings Settings, int Failures)
{
    /// <summary>After one more death.</summary>
    /// <param name="ran">How long it ran.</param>
    public Backoff After(TimeSpan ran) => this with { Failures = ran >= Settings.ResetAfter ? 1 : Failures + 1 };

    /// <summary>The wait.</summary>
    public TimeSpan Wait => Failures switch
    {
        <= 0 => TimeSpan.Zero,
        > 30 => Settings.BackoffMax,
        _ => TimeSpan.FromTicks((long)Math.Min(Settings.BackoffMin.Ticks * Math.Pow(2, Failures - 1), Settings.BackoffMax.Ticks)),
    };
}
