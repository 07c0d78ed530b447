using Decant.Agent.Instances;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Operations;

/// <summary>What the agent does on its start with an operation that ran when it died.</summary>
internal enum RecoveryAction
{
    /// <summary>Goes on with it, or ends it as done where it was.</summary>
    Finish,

    /// <summary>Takes back what it had begun, unless it was done.</summary>
    Undo,

    /// <summary>Leaves the host as it is and ends it as interrupted, unless it was done.</summary>
    FailByName,
}

/// <summary>
/// The rule for one kind of operation: the one place that says what becomes of it when the agent dies in the middle. An operation whose work
/// is found done ends as succeeded with its result; any other as interrupted, with <see cref="Otherwise"/> and <see cref="Next"/> as its error.
/// decantd(8) has the same list.
/// </summary>
/// <param name="Kind">Of operation.</param>
/// <param name="Action">Finish, undo or fail.</param>
/// <param name="OnStart">What happens on start, for the manual page.</param>
/// <param name="Otherwise">What is known of it when it is not found done.</param>
/// <param name="Next">What to do then.</param>
/// <param name="FindDone">Looks whether the work is done; null: it is not, or nobody can know.</param>
internal sealed record RecoveryRule(
    OperationKind Kind,
    RecoveryAction Action,
    string OnStart,
    string Otherwise,
    string Next,
    Func<OperationRecord, HostTruth, OperationResult?> FindDone)
{
    private const string Repeat = "repeat it under a new operation id";
    private const string LookAtMember = "look at the member (decant status), then repeat it under a new operation id: it is safe to";

    /// <summary>Every rule, in the order of the kinds.</summary>
    public static IReadOnlyList<RecoveryRule> All { get; } = [.. Enum.GetValues<OperationKind>().Select(Of)];

    /// <summary>The rule for a kind.</summary>
    public static RecoveryRule Of(OperationKind kind) => kind switch
    {
        OperationKind.Stage => new(
            kind,
            RecoveryAction.Undo,
            "what was unpacked is deleted and the uploaded archive stays; a release that had become visible counts as staged",
            "what was unpacked was deleted, the archive is still here",
            "stage it again under a new operation id; nothing has to be uploaded again",
            (o, truth) => o.Subject is { App: { } app, Release: { } release } && truth.Release(app, release) is { } staged
                ? new Staged(staged.Id, staged.UnpackedBytes, staged.Entries)
                : null),
        OperationKind.RemoveRelease => new(
            kind,
            RecoveryAction.Finish,
            "a release that was no longer visible is deleted to its last file; one that still was stays",
            "the release is still here",
            Repeat,
            (o, truth) => o.Subject is { App: { } app, Release: { } release } && truth.Release(app, release) is null ? new Done() : null),
        OperationKind.PruneReleases => new(
            kind,
            RecoveryAction.FailByName,
            "each release is either gone, to its last file, or whole; the rest is not pruned",
            "some releases may be gone, each as a whole",
            Repeat,
            NobodyCanKnow),
        OperationKind.Preflight => new(
            kind, RecoveryAction.FailByName, "nothing was changed by it", "it changes nothing", Repeat, NobodyCanKnow),
        OperationKind.Migrate => new(
            kind,
            RecoveryAction.FailByName,
            "never run again by itself: one that had ended well counts as done; for any other the database has to be looked at, and its process may still run",
            "whether the migration was done is not known, and its process may still run",
            "look at the database's own record of migrations; then deploy again, which runs what is left of it",
            (o, truth) => o is { Subject.App: { } app, Deployment: { } deployment } ? truth.Migration(app, deployment) : null),
        OperationKind.Start => new(
            kind,
            RecoveryAction.Finish,
            "an instance that runs is taken over, and counts as started; one that was to run, and does not, is started again",
            "the slot is started where that was written down before",
            "look at the slot (decant status); start it under a new operation id: nothing happens when it runs",
            FindStarted),
        OperationKind.Stop => new(
            kind,
            RecoveryAction.FailByName,
            "an instance that is gone counts as stopped; one that still runs is left alone",
            "the instance still runs, or is on its way down",
            "stop it again under a new operation id",
            (o, truth) => SlotOf(o, truth) switch
            {
                null => new Stopped(StopMeans.NotRunning, TimeSpan.Zero, null),
                { Process: null, Record: { Wanted: false } record } => new Stopped(StopMeans.NotRunning, TimeSpan.Zero, record.LastExit?.ExitCode),
                _ => null,
            }),
        OperationKind.AwaitHealthy => new(
            kind, RecoveryAction.FailByName, "it waits and changes nothing; what it had seen does not count", "it only waits", Repeat, NobodyCanKnow),
        OperationKind.Evaluate => new(
            kind,
            RecoveryAction.FailByName,
            "never evaluated again by itself",
            "whether the expression was evaluated is not known",
            "look at what the expression was to do before you repeat it",
            NobodyCanKnow),
        OperationKind.Drain => new(
            kind, RecoveryAction.FailByName, "the member stays as it is, which may be out of rotation", "the member may be out of rotation", LookAtMember, NobodyCanKnow),
        OperationKind.Undrain => new(
            kind, RecoveryAction.FailByName, "the member stays as it is, which may be in rotation", "the member may be in rotation", LookAtMember, NobodyCanKnow),
        OperationKind.Maintenance => new(
            kind, RecoveryAction.FailByName, "the member stays as it is, which may be in maintenance", "the member may be in maintenance", LookAtMember, NobodyCanKnow),
        OperationKind.Move => new(
            kind, RecoveryAction.FailByName, "the members stay as they are; what goes in does so before anything goes out", "some members may have moved", LookAtMember, NobodyCanKnow),
        OperationKind.RemoveMember => new(
            kind, RecoveryAction.FailByName, "the member is still there, or not", "the member may be gone", LookAtMember, NobodyCanKnow),
        OperationKind.Retire => new(
            kind,
            RecoveryAction.Finish,
            "a retirement that was written down goes on, by the wall clock; otherwise the instance runs on",
            "the instance runs on",
            Repeat,
            (o, truth) => SlotOf(o, truth) is null or { Record.Retirement: not null } or { Process: null, Record.Wanted: false } ? new Done() : null),
        OperationKind.Keep => new(
            kind,
            RecoveryAction.Finish,
            "a retirement that had been called off is; otherwise it goes on",
            "the instance is still to be stopped when its time is over, or is gone",
            Repeat,
            (o, truth) => SlotOf(o, truth) is { Process: not null, Record.Retirement: null } ? new Done() : null),
        OperationKind.Unlock => new(
            kind,
            RecoveryAction.FailByName,
            "the lease is as it was last written: taken away with its reason, or still held",
            "the lease may have been taken away",
            "look who holds it (decant status), then repeat it under a new operation id: it is safe to",
            NobodyCanKnow),
        _ => throw new InvalidOperationException($"no rule says what becomes of {kind} when the agent dies in it"),
    };

    /// <summary>How an operation that ran when the agent died ends.</summary>
    /// <param name="left">As journaled: running.</param>
    /// <param name="truth">The host, after half-done stages and removals were cleared away and what runs was taken over.</param>
    /// <param name="now">Wall clock, for people.</param>
    public static OperationRecord End(OperationRecord left, HostTruth truth, DateTimeOffset now)
    {
        var rule = Of(left.Kind);
        return rule.FindDone(left, truth) is { } result
            ? left with { State = OperationState.Succeeded, EndedAt = now, Result = result }
            : left with
            {
                State = OperationState.Interrupted,
                EndedAt = now,
                Error = new OperatorError(
                    StatusCode.Aborted, "OPERATION_INTERRUPTED", $"interrupted: the agent died while it ran; {rule.Otherwise}", rule.Next),
            };
    }

    private static OperationResult? NobodyCanKnow(OperationRecord operation, HostTruth truth) => null;

    private static InstanceSnapshot? SlotOf(OperationRecord operation, HostTruth truth)
        => operation.Subject is { App: { } app, Slot: { } slot } ? truth.Slot(new InstanceKey(app, slot)) : null;

    // Without a deployment to tell it from an earlier start, the instance must be younger than the operation.
    private static Started? FindStarted(OperationRecord operation, HostTruth truth)
        => SlotOf(operation, truth) is { Process: { } process } slot
            && slot.Record.Release == operation.Subject.Release
            && slot.Record.Deployment == operation.Deployment
            && (operation.Deployment is not null || slot.StartedAt >= operation.StartedAt)
                ? new Started(process.Pid, process.StartTicks)
                : null;
}
