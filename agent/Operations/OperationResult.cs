using Decant.Names;

namespace Decant.Agent.Operations;

/// <summary>What an operation that succeeded has to tell.</summary>
/// <param name="Unchanged">Nothing had to be done, the wanted state was there already.</param>
internal abstract record OperationResult(bool Unchanged);

/// <summary>It is done, and there is no more to say.</summary>
internal sealed record Done(bool Unchanged = false) : OperationResult(Unchanged);

/// <summary>A release is staged.</summary>
/// <param name="Release">Which.</param>
/// <param name="UnpackedBytes">Size of its tree.</param>
/// <param name="Entries">Files, directories and links in it.</param>
/// <param name="Unchanged">It was staged before.</param>
internal sealed record Staged(ReleaseId Release, long UnpackedBytes, int Entries, bool Unchanged = false) : OperationResult(Unchanged);

/// <summary>Releases were pruned.</summary>
/// <param name="Removed">Those that are gone.</param>
/// <param name="Kept">Those over the limit that stay, each with the reason, for people.</param>
internal sealed record Pruned(IReadOnlyList<ReleaseId> Removed, IReadOnlyList<string> Kept) : OperationResult(Removed.Count == 0);

/// <summary>An instance runs.</summary>
/// <param name="Pid">Its process id.</param>
/// <param name="StartTicks">Field 22 of /proc/pid/stat.</param>
/// <param name="Unchanged">It ran before, just so.</param>
internal sealed record Started(int Pid, long StartTicks, bool Unchanged = false) : OperationResult(Unchanged);

/// <summary>The last means that was needed to stop an instance.</summary>
internal enum StopMeans
{
    NotRunning,
    Script,
    Sigterm,
    Sigkill,
}

/// <summary>An instance is gone.</summary>
/// <param name="Means">How.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="ExitCode">128 + signal when a signal ended it; null when nobody could learn it.</param>
internal sealed record Stopped(StopMeans Means, TimeSpan Elapsed, int? ExitCode) : OperationResult(Means == StopMeans.NotRunning);

/// <summary>The migration has run.</summary>
/// <param name="ExitCode">Always 0 here: any other is a failure.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="Tail">Its last lines.</param>
/// <param name="AlreadyDone">It had been run for this deployment before.</param>
internal sealed record Migrated(int ExitCode, TimeSpan Elapsed, IReadOnlyList<OutputLine> Tail, bool AlreadyDone) : OperationResult(AlreadyDone);

/// <summary>Everything that preflight looked at is as it should be.</summary>
/// <param name="Findings">Each with what was found.</param>
internal sealed record PreflightPassed(IReadOnlyList<PreflightFinding> Findings) : OperationResult(false);

/// <summary>One thing that preflight looked at.</summary>
/// <param name="Check">Short name: <c>architecture</c>, <c>runtime-config</c>, …</param>
/// <param name="Passed">Whether it is as it should be.</param>
/// <param name="Detail">What was found and, when it did not pass, what to do.</param>
internal sealed record PreflightFinding(string Check, bool Passed, string Detail);

/// <summary>The instance serves, and it is what was deployed.</summary>
/// <param name="HealthyAfter">From the call until the rise threshold.</param>
/// <param name="Verified">What was found running.</param>
internal sealed record Healthy(TimeSpan HealthyAfter, RunningRelease Verified) : OperationResult(false);

/// <summary>What was found running.</summary>
/// <param name="Version">As the node says.</param>
/// <param name="Root">The release's directory.</param>
/// <param name="Node">Erlang node name; empty without distribution.</param>
/// <param name="Source"><c>node</c> when the node answered, <c>process</c> when it was read from /proc.</param>
internal sealed record RunningRelease(string Version, string Root, string Node, string Source);

/// <summary>An expression was evaluated.</summary>
/// <param name="ExitCode">Of the release's script.</param>
internal sealed record Evaluated(int ExitCode) : OperationResult(false);

/// <summary>A member is drained.</summary>
/// <param name="Elapsed">How long it took.</param>
/// <param name="SessionsLeft">Sessions still there at the deadline; 0 when all finished.</param>
/// <param name="Unchanged">It was out of rotation and empty before.</param>
/// <param name="LongLivedClosed">Connections that do not finish by themselves and were closed.</param>
internal sealed record Drained(TimeSpan Elapsed, int SessionsLeft, bool Unchanged = false, int LongLivedClosed = 0) : OperationResult(Unchanged);

/// <summary>An app's lease was taken away from its holder.</summary>
/// <param name="By">Who did it.</param>
/// <param name="Reason">Why.</param>
/// <param name="FormerHolder">Whose it was, for people; empty: nobody's.</param>
/// <param name="FormerToken">Its token; null: nobody held it.</param>
internal sealed record Unlocked(string By, string Reason, string FormerHolder, FencingToken? FormerToken) : OperationResult(FormerToken is null);

/// <summary>A member takes requests again.</summary>
/// <param name="Elapsed">How long it took.</param>
/// <param name="Status">The balancer's own word.</param>
/// <param name="Unchanged">It did before.</param>
internal sealed record Undrained(TimeSpan Elapsed, string Status, bool Unchanged = false) : OperationResult(Unchanged);
