using Decant.Agent.Supervision;

namespace Decant.Agent.Instances;

/// <summary>One run of a release in a slot: from its start (or its adoption) to its end.</summary>
/// <param name="process">The process.</param>
/// <param name="time">The clock.</param>
/// <param name="adoptedAt">When this agent took it over; null when this agent started it.</param>
internal sealed class InstanceRun(ISupervisedProcess process, TimeProvider time, DateTimeOffset? adoptedAt) : IDisposable
{
    // Of one that was taken over the kernel knows how old it is; the clock on the wall may have been set since.
    private readonly TimeSpan ageAtBegin = adoptedAt is null ? TimeSpan.Zero : process.Identity.Age;
    private readonly long began = time.GetTimestamp();
    private readonly TaskCompletionSource<ExitReport> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource watching = new();

    /// <summary>The process.</summary>
    public ISupervisedProcess Process => process;

    /// <summary>When this agent took it over.</summary>
    public DateTimeOffset? AdoptedAt => adoptedAt;

    /// <summary>How long it runs, whatever is done to the clock on the wall.</summary>
    public TimeSpan Age => ageAtBegin + time.GetElapsedTime(began);

    /// <summary>Completes at its end, with its last lines. Never fails.</summary>
    public Task<ExitReport> Ended => ended.Task;

    /// <summary>Cancelled at its end: what watches it stops.</summary>
    public CancellationToken Watching => watching.Token;

    /// <summary>It ended.</summary>
    public void End(ExitReport report)
    {
        watching.Cancel();
        ended.TrySetResult(report);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        watching.Cancel();
        process.Dispose();
    }
}
