using Decant.Controller.Fleet;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>What has been done to one host in a deployment, as far as its steps tell: the ground of rollbacks and reports.</summary>
internal sealed class HostAccount(HostName host, PlannedCutover? planned)
{
    private readonly HashSet<HostName> drainedAt = [];
    private bool lost;
    private OperatorError? stuck;

    /// <summary>The host.</summary>
    public HostName Host => host;

    /// <summary>What it ran before the deployment, and was to run; null when it was no part of it.</summary>
    public PlannedCutover? Planned => planned;

    /// <summary>What it is known to run now; null: nothing, or not known.</summary>
    public ReleaseId? Runs { get; private set; } = planned?.From;

    /// <summary>A step that touches what serves was begun.</summary>
    public bool Touched { get; private set; }

    /// <summary>Steps were begun and not all of them ended well.</summary>
    public bool Unfinished { get; private set; }

    /// <summary>It was put back to what it was.</summary>
    public bool RolledBack { get; private set; }

    /// <summary>Why it failed; null when it did not.</summary>
    public StepFailure? Failure { get; private set; }

    /// <summary>Balancers at which its member was taken out.</summary>
    public IReadOnlySet<HostName> DrainedAt => drainedAt;

    /// <summary>It takes traffic at every balancer, as far as is known.</summary>
    public bool InRotation => drainedAt.Count == 0 && Runs is not null && !lost;

    /// <summary>An earlier attempt of the same deployment touched it.</summary>
    public void Resume(TouchedEarlier earlier)
    {
        (Touched, Unfinished, Runs) = (true, earlier.Runs != planned?.To || earlier.DrainedAt.Count > 0, earlier.Runs);
        drainedAt.UnionWith(earlier.DrainedAt);
    }

    /// <summary>It cannot be put back, because its agent cannot be asked or has the old release no more.</summary>
    public void Lose(OperatorError why) => (stuck, lost, Unfinished) = (why, why.Code == StatusCode.Unavailable, true);

    /// <summary>A cutover step ran.</summary>
    public void Take(StepResult result)
    {
        (Touched, Unfinished) = (true, true);
        if (result.Run.Step is DrainStep begun) drainedAt.Add(begun.Balancer.Key);
        var done = result.End.Succeeded;
        if (!done && result.End.State != StepState.Aborted) Failure ??= result.AsFailure();
        lost = result.End.State == StepState.Unknown;
        switch (result.Run.Step)
        {
            // An agent that says no (too few others are up, no such member) has left the member as it was.
            case DrainStep drain when result.End.State == StepState.Failed:
                drainedAt.Remove(drain.Balancer.Key);
                break;
            case UndrainStep undrain when done:
                drainedAt.Remove(undrain.Balancer.Key);
                break;
            case StopStep when done:
                Runs = null;
                break;
            case StartStep start when done:
                Runs = start.Release;
                break;
            case AwaitHealthyStep await when result.End.State == StepState.Failed && await.Release == Runs:
                Runs = null;
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
        var drained = drainedAt.Count == 0 ? "" : $", out of rotation at {string.Join(", ", drainedAt.Select(b => b.Value).Order(StringComparer.Ordinal))}";
        var failure = Failure is { } failed && position is not HostPosition.RolledBack and not HostPosition.Done
            ? $"; {failed.Run.Step.Verb} {(failed.State == StepState.Unknown ? "cannot be followed" : "failed")}: {failed.Error.Message}"
            : "";
        var meant = position == HostPosition.Halfway && planned?.To is { } wanted && Runs != wanted ? $" (was to run {wanted.Version})" : "";
        return $"{serves}{drained}{meant}{failure}{(stuck is null ? "" : $"; cannot be rolled back: {stuck.Message}")}";
    }
}
