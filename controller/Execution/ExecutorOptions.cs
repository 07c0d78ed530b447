using Decant.Controller.Fleet;

namespace Decant.Controller.Execution;

/// <summary>What the executor does when an agent cannot be reached in the middle of a step.</summary>
internal sealed record ExecutorOptions
{
    /// <summary>How long the same operation is asked for again before the step counts as unknown.</summary>
    public TimeSpan ReconnectWindow { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The first pause; each further one is twice as long.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest pause.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long leases last and are waited for.</summary>
    public LeaseTimings Lease { get; init; } = new();
}
