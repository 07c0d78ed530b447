using System.Globalization;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Controller.Execution;

/// <summary>The journal's deployments and steps as agents keep them: the one place that knows both.</summary>
internal static class RecordMapping
{
    private const int LongestPlan = 200_000;
    private const int LongestMessage = 60_000;
    private const int LongestStep = 2000;

    /// <summary>A deployment for the agents.</summary>
    public static V1.DeploymentRecord ToMessage(DeploymentRecord record) => new()
    {
        Id = record.Id.Value,
        App = record.App.Value,
        Intent = ToMessage(record.Intent),
        Release = ToMessage(record.Release),
        Manifest = record.Manifest.Text,
        ManifestPath = record.Manifest.Path,
        ArchivePath = record.ArchivePath ?? "",
        Plan = BoundedText.Cut(record.PlanText, LongestPlan),
        State = ToMessage(record.Status),
        Attempt = (uint)record.Attempt,
        Revision = (uint)record.Revision,
        RollingBack = record.RollingBack,
        StartedAt = Timestamp.FromDateTimeOffset(record.StartedAt),
        EndedAt = record.EndedAt is { } ended ? Timestamp.FromDateTimeOffset(ended) : null,
        Message = BoundedText.Cut(record.Message, LongestMessage),
        WhatNext = BoundedText.Cut(record.WhatNext, LongestMessage),
        Controller = new V1.DeploymentController
        {
            User = BoundedText.Cut(record.Holder.User, 64),
            Machine = BoundedText.Cut(record.Holder.Machine, 255),
            Pid = (uint)record.Holder.Pid,
            Process = $"{record.Holder.Space}/{record.Holder.StartTicks}",
        },
        Cutovers = { record.Cutovers.Select(ToMessage) },
        Only = { record.Only?.Select(h => h.Value) ?? [] },
        IsLimited = record.Only is not null,
        Canary = record.Canary is { } canary ? new V1.CanaryState { Hosts = { canary.Canaries.Select(h => h.Value) }, Promoted = canary.Promoted } : null,
        DownFrom = ToMessage(record.DownFrom),
    };

    /// <summary>A deployment that an agent kept, whole.</summary>
    /// <exception cref="FormatException">It was written by something else than this program, or by a later version.</exception>
    public static DeploymentRecord ToRecord(V1.DeploymentRecord message) => new(
        DeploymentId.Parse(message.Id),
        AppName.Parse(message.App),
        ToIntent(message.Intent),
        ToRelease(message.Release),
        new ManifestSource(message.ManifestPath, message.Manifest),
        message.ArchivePath.Length == 0 ? null : message.ArchivePath,
        message.Plan,
        ToStatus(message.State),
        Whole(message.Attempt),
        message.RollingBack,
        ToTime(message.StartedAt) ?? throw new FormatException("it does not say when it began"),
        ToTime(message.EndedAt),
        message.Message,
        message.WhatNext,
        ToHolder(message.Controller ?? new V1.DeploymentController()),
        [.. message.Cutovers.Select(ToCutover)],
        message.IsLimited ? [.. message.Only.Select(HostName.Parse)] : null,
        message.Canary is { } canary ? new CanaryProgress([.. canary.Hosts.Select(HostName.Parse)], canary.Promoted) : null,
        ToRelease(message.DownFrom),
        Whole(message.Revision));

    /// <summary>A step that is about to begin, for the agent that does it.</summary>
    /// <param name="step">The step as journaled.</param>
    /// <param name="order">Its place among those of its attempt.</param>
    public static V1.DeploymentStep ToMessage(StepRecord step, int order) => new()
    {
        Key = step.Key,
        Verb = step.Verb,
        Host = step.Host.Value,
        Description = BoundedText.Cut(step.Description, LongestStep),
        Attempt = (uint)step.Attempt,
        Order = (uint)order,
        IsRollback = step.IsRollback,
        Hosts = { step.Hosts.Select(h => h.Value) },
        TakesOut = { step.TakesOut.Select(ToMessage) },
        PutsIn = { step.PutsIn.Select(ToMessage) },
    };

    /// <summary>A step by the operation that did it, with its place in its attempt; null: nobody said which step it was.</summary>
    public static (StepRecord Step, int Order)? ToStep(V1.Operation operation)
    {
        if (operation.Ref is not { Step: { } step } reference) return null;
        var record = new StepRecord(
            DeploymentId.Parse(reference.DeploymentId),
            step.Key,
            HostName.Parse(step.Host),
            step.Verb,
            step.Description,
            OperationId.Parse(reference.Id),
            Whole(step.Attempt),
            step.IsRollback,
            [.. step.Hosts.Select(HostName.Parse)],
            [.. step.TakesOut.Select(ToSeat)],
            [.. step.PutsIn.Select(ToSeat)],
            ToTime(operation.StartedAt) ?? throw new FormatException("it does not say when it began"),
            ToTime(operation.EndedAt),
            ToEnd(operation));
        return (record, Whole(step.Order));
    }

    private static StepEnd? ToEnd(V1.Operation operation) => operation.State switch
    {
        V1.OperationState.Running => null,
        V1.OperationState.Succeeded => new StepEnd(StepState.Succeeded, StepDetail.Of(operation.Result), operation.Result?.Unchanged ?? false, null, []),
        // Cut off in the middle: nobody knows how far it got.
        V1.OperationState.Cancelled or V1.OperationState.Interrupted => new StepEnd(StepState.Unknown, "", false, ToError(operation), []),
        _ => new StepEnd(StepState.Failed, "", false, ToError(operation), []),
    };

    private static OperatorError ToError(V1.Operation operation)
        => operation.Error is { } error ? OperatorError.FromStatus(error) : throw new FormatException($"it is {operation.State} and does not say why");

    private static DateTimeOffset? ToTime(Timestamp? time)
    {
        try
        {
            return time?.ToDateTimeOffset();
        }
        catch (InvalidOperationException exception)
        {
            throw new FormatException($"{time!.Seconds} s is no time", exception);
        }
    }

    private static int Whole(uint number) => number <= int.MaxValue ? (int)number : throw new FormatException($"{number} is out of range");

    private static V1.HostCutover ToMessage(PlannedCutover cutover) => new()
    {
        Host = cutover.Host.Value,
        From = ToMessage(cutover.From),
        To = ToMessage(cutover.To),
        Slot = cutover.Slot?.Name.Value ?? "",
        Spec = cutover.Slot is { } slot ? StepCalls.Of(slot) : null,
    };

    private static PlannedCutover ToCutover(V1.HostCutover cutover) => new(
        HostName.Parse(cutover.Host),
        ToRelease(cutover.From),
        ToRelease(cutover.To),
        cutover.Spec is not { } spec ? null : new SlotSettings(
            SlotName.Parse(cutover.Slot), Whole(spec.Port), spec.Node, new Dictionary<string, string>(spec.Env), !spec.NoDistribution));

    private static V1.MemberPlace ToMessage(MemberSeat seat) => new() { Balancer = seat.Balancer.Value, Host = seat.Host.Value, Slot = seat.Slot.Value };

    private static MemberSeat ToSeat(V1.MemberPlace place) => new(HostName.Parse(place.Balancer), HostName.Parse(place.Host), SlotName.Parse(place.Slot));

    private static V1.ReleaseRef? ToMessage(ReleaseId? release) => release is null ? null : StepCalls.Of(release);

    private static ReleaseId? ToRelease(V1.ReleaseRef? release)
        => release is null ? null : new ReleaseId(ReleaseVersion.Parse(release.Version), Sha256Digest.Parse(release.Digest));

    /// <summary>Who holds it, as he said: <c>space/start ticks</c> is this program's way of naming a process.</summary>
    private static ControllerProcess ToHolder(V1.DeploymentController controller)
    {
        var cut = controller.Process.LastIndexOf('/');
        var ticks = long.TryParse(controller.Process.AsSpan(cut + 1), CultureInfo.InvariantCulture, out var parsed) ? parsed : 0;
        // A space that cannot be read is no reason to take the process for one of this machine.
        var space = cut > 0 ? controller.Process[..cut] : "unknown";
        return new ControllerProcess((int)Math.Min(controller.Pid, int.MaxValue), ticks, controller.User, controller.Machine, space);
    }

    private static V1.DeploymentIntent ToMessage(PlanIntent intent) => intent switch
    {
        PlanIntent.Deploy => V1.DeploymentIntent.Deploy,
        PlanIntent.Rollback => V1.DeploymentIntent.Rollback,
        PlanIntent.Repair => V1.DeploymentIntent.Repair,
        _ => throw new InvalidOperationException($"intent {intent} is not in the contract"),
    };

    private static PlanIntent ToIntent(V1.DeploymentIntent intent) => intent switch
    {
        V1.DeploymentIntent.Deploy => PlanIntent.Deploy,
        V1.DeploymentIntent.Rollback => PlanIntent.Rollback,
        V1.DeploymentIntent.Repair => PlanIntent.Repair,
        _ => throw new FormatException($"intent {intent} is not known to this version"),
    };

    private static V1.DeploymentState ToMessage(DeploymentStatus status) => status switch
    {
        // Interrupted is what readers call one that says that it runs.
        DeploymentStatus.Running or DeploymentStatus.Interrupted => V1.DeploymentState.Running,
        DeploymentStatus.Succeeded => V1.DeploymentState.Succeeded,
        DeploymentStatus.FailedUntouched => V1.DeploymentState.FailedUntouched,
        DeploymentStatus.RolledBack => V1.DeploymentState.RolledBack,
        DeploymentStatus.FailedPartly => V1.DeploymentState.FailedPartly,
        DeploymentStatus.Stopped => V1.DeploymentState.Stopped,
        DeploymentStatus.AwaitingPromotion => V1.DeploymentState.AwaitingPromotion,
        DeploymentStatus.Aborted => V1.DeploymentState.Aborted,
        DeploymentStatus.LeaseLost => V1.DeploymentState.LeaseLost,
        _ => throw new InvalidOperationException($"status {status} is never written down"),
    };

    private static DeploymentStatus ToStatus(V1.DeploymentState state) => state switch
    {
        V1.DeploymentState.Running => DeploymentStatus.Running,
        V1.DeploymentState.Succeeded => DeploymentStatus.Succeeded,
        V1.DeploymentState.FailedUntouched => DeploymentStatus.FailedUntouched,
        V1.DeploymentState.RolledBack => DeploymentStatus.RolledBack,
        V1.DeploymentState.FailedPartly => DeploymentStatus.FailedPartly,
        V1.DeploymentState.Stopped => DeploymentStatus.Stopped,
        V1.DeploymentState.AwaitingPromotion => DeploymentStatus.AwaitingPromotion,
        V1.DeploymentState.Aborted => DeploymentStatus.Aborted,
        V1.DeploymentState.LeaseLost => DeploymentStatus.LeaseLost,
        _ => throw new FormatException($"state {state} is not known to this version"),
    };
}
