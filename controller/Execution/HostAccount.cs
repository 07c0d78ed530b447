using Decant.Controller.Fleet;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>What has been done to one host in a deployment, as far as its steps tell: the ground of rollbacks and reports.</summary>
/// <param name="host">The host.</param>
/// <param name="planned">What it ran before, and was to run; null when it was no part of the deployment.</param>
/// <param name="balancers">The balancers at which an instance needs its member in to serve.</param>
internal sealed class HostAccount(HostName host, PlannedCutover? planned, IReadOnlyList<HostName> balancers)
{
    private readonly HashSet<MemberSeat> taken = [];
    private readonly Dictionary<SlotName, ReleaseId> runs = planned is { From: { } from, Slot: { } slot } ? new() { [slot.Name] = from } : [];
    private bool lost;
    private OperatorError? stuck;

    /// <summary>The host.</summary>
    public HostName Host => host;

    /// <summary>What it ran before the deployment, and was to run; null when it was no part of it.</summary>
    public PlannedCutover? Planned => planned;

    /// <summary>What it is known to run now: what has traffic, else what would have it; null: nothing, or not known.</summary>
    public ReleaseId? Runs => ServingSlot is { } serving ? runs[serving] : runs.Values.FirstOrDefault();

    /// <summary>A step that touches what serves was begun.</summary>
    public bool Touched { get; private set; }

    /// <summary>Steps were begun and not all of them ended well.</summary>
    public bool Unfinished { get; private set; }

    /// <summary>It was put back to what it was.</summary>
    public bool RolledBack { get; private set; }

    /// <summary>Why it failed; null when it did not.</summary>
    public StepFailure? Failure { get; private set; }

    /// <summary>It takes traffic at every balancer, as far as is known.</summary>
    public bool InRotation => ServingSlot is not null && !lost;

    /// <summary>Balancers at which what runs in a slot was taken out.</summary>
    public IReadOnlyList<HostName> TakenOutAt(SlotName slot) => [.. taken.Where(t => t.Slot == slot).Select(t => t.Balancer)];

    /// <summary>Whether something runs in a slot, as far as is known.</summary>
    public bool RunsIn(SlotName slot) => runs.ContainsKey(slot);

    private SlotName? ServingSlot => runs.Keys.Where(s => taken.All(t => t.Slot != s)).Select(s => s).FirstOrDefault();

    /// <summary>An earlier attempt of the same deployment touched it.</summary>
    public void Resume(TouchedEarlier earlier)
    {
        runs.Clear();
        foreach (var instance in earlier.Instances.Where(i => !i.Retiring)) runs[instance.Slot.Name] = instance.Release;
        taken.UnionWith(earlier.Out);
        (Touched, Unfinished) = (true, Runs != planned?.To || ServingSlot is null);
    }

    /// <summary>It cannot be put back, because its agent cannot be asked or has the old release no more.</summary>
    public void Lose(OperatorError why) => (stuck, lost, Unfinished) = (why, why.Code == StatusCode.Unavailable, true);

    /// <summary>A cutover step ran.</summary>
    public void Take(StepResult result)
    {
        (Touched, Unfinished) = (true, true);
        var step = result.Run.Step;
        var done = result.End.Succeeded;
        if (!done && result.End.State != StepState.Aborted) Failure ??= result.AsFailure();
        lost = result.End.State == StepState.Unknown || result.End.IsUnknownAtBalancer;
        if (!result.End.ChangedNothing) taken.UnionWith(step.TakesOut.Where(s => s.Host == host));
        if (done) taken.ExceptWith(step.PutsIn.Where(s => s.Host == host));
        switch (step)
        {
            case StopStep stop when done:
                runs.Remove(stop.At.Slot.Name);
                break;
            case RetireStep retire when done:
                runs.Remove(retire.At.Slot.Name);
                break;
            case KeepStep keep when done:
                runs[keep.At.Slot.Name] = keep.Running;
                break;
            case StartStep start when done:
                // It has no traffic before a balancer was told of it.
                runs[start.At.Slot.Name] = start.Release;
                taken.UnionWith(balancers.Select(b => new MemberSeat(b, host, start.At.Slot.Name)));
                break;
            case AwaitHealthyStep await when result.End.State == StepState.Failed && runs.GetValueOrDefault(await.At.Slot.Name) == await.Release:
                runs.Remove(await.At.Slot.Name);
                break;
            default:
                break;
        }
    }

    /// <summary>All steps of its cutover ended well.</summary>
    public void Complete(bool isRollback)
    {
        (Unfinished, RolledBack, lost) = (false, isRollback, false);
        if (!isRollback) Failure = null;
    }

    /// <summary>Where it stands.</summary>
    public HostStanding Standing()
    {
        var position = !Touched ? HostPosition.Untouched
            : RolledBack ? HostPosition.RolledBack
            : !Unfinished ? HostPosition.Done
            : lost ? HostPosition.Unknown
            : InRotation && Runs == planned?.From ? HostPosition.Untouched
            : Failure is not null ? HostPosition.OutOfRotation
            : HostPosition.Halfway;
        return new HostStanding(host, position, Runs, Describe(position));
    }

    private string Describe(HostPosition position)
    {
        var serves = Runs is { } release ? $"runs {release.Version}" : position is HostPosition.Unknown ? "what it runs is not known" : "runs nothing that serves";
        var outAt = InRotation || runs.Count == 0 && taken.Count == 0 ? [] : taken.Select(t => t.Balancer.Value).Distinct().Order(StringComparer.Ordinal).ToList();
        var drained = outAt.Count == 0 ? "" : $", out of rotation at {string.Join(", ", outAt)}";
        var failure = Failure is { } failed && position is not HostPosition.RolledBack and not HostPosition.Done
            ? $"; {failed.Run.Step.Verb} {(failed.State == StepState.Unknown ? "cannot be followed" : "failed")}: {failed.Error.Message}"
            : "";
        var meant = position == HostPosition.Halfway && planned?.To is { } wanted && Runs != wanted ? $" (was to run {wanted.Version})" : "";
        return $"{serves}{drained}{meant}{failure}{(stuck is null ? "" : $"; cannot be rolled back: {stuck.Message}")}";
    }
}
