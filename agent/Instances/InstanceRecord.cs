using Decant.Agent.Health;
using Decant.Names;

namespace Decant.Agent.Instances;

/// <summary>What a slot is meant to do, as it is on disk: what an agent needs to go on after its own restart.</summary>
/// <param name="Key">App and slot.</param>
/// <param name="Wanted">Meant to run; false: meant to be stopped.</param>
/// <param name="Release">What it runs or last ran.</param>
/// <param name="Spec">How.</param>
/// <param name="Health">What is kept checking while it runs; null: nothing.</param>
/// <param name="Deployment">What caused the last start.</param>
/// <param name="Restarts">Times it died and was started again since the last start.</param>
/// <param name="LastExit">How it last ended since the last start; null when it has not.</param>
/// <param name="Retirement">When it is stopped, because its traffic has gone elsewhere; null: it runs on.</param>
/// <param name="StoppedByHand">Somebody stopped it by the host's own means, past the agent: it stays stopped until it is started.</param>
internal sealed record InstanceRecord(
    InstanceKey Key,
    bool Wanted,
    ReleaseId Release,
    SlotSpec Spec,
    HealthCheck? Health,
    DeploymentId? Deployment,
    int Restarts,
    ExitReport? LastExit,
    Retirement? Retirement = null,
    bool StoppedByHand = false);

/// <summary>
/// An instance without traffic is kept warm for a while, then stopped. While an agent runs it measures that itself; the time on the wall is for
/// the one that comes after its restart.
/// </summary>
/// <param name="At">When.</param>
/// <param name="Keep">How long after it was asked for: a clock that was set back meanwhile makes it no longer than that.</param>
/// <param name="Deadlines">How it is stopped then.</param>
internal sealed record Retirement(DateTimeOffset At, TimeSpan Keep, StopDeadlines Deadlines)
{
    /// <summary>What is left of it for an agent that takes over.</summary>
    /// <param name="now">On the wall.</param>
    public TimeSpan Left(DateTimeOffset now) => At <= now ? TimeSpan.Zero : At - now < Keep ? At - now : Keep;
}

/// <summary>How an instance ended.</summary>
/// <param name="ExitCode">128 + signal when a signal ended it; null when nobody could learn it.</param>
/// <param name="At">When.</param>
/// <param name="Tail">Its last lines.</param>
/// <param name="CrashDump">A crash dump that it left, as a path; null: none.</param>
internal sealed record ExitReport(int? ExitCode, DateTimeOffset At, IReadOnlyList<string> Tail, string? CrashDump)
{
    /// <summary>For people: <c>exit code 1</c>, <c>killed by signal 9</c>.</summary>
    public string Describe() => ExitCode switch
    {
        null => "exit code unknown",
        > 128 and < 193 => $"ended by signal {ExitCode - 128}",
        _ => $"exit code {ExitCode}",
    };
}
