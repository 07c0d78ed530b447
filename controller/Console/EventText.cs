using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Planning;

namespace Decant.Controller.Console;

/// <summary>Events as lines for people.</summary>
internal static class EventText
{
    /// <summary>The lines of an event; none for what would be chatter in a log.</summary>
    public static IEnumerable<string> Of(DeploymentEvent item) => item switch
    {
        PlanMade made => made.IsRollback ? ["rollback plan:", .. PlanText.Of(made.Plan).Select(l => $"  {l}")]
            : [$"deployment {made.Deployment}{(made.Attempt > 1 ? $", attempt {made.Attempt}" : "")}", .. PlanText.Of(made.Plan)],
        LeaseAwaited awaited => [$"lease at {awaited.Agent}: {awaited.Why}"],
        StageStarted started => [$"{started.Stage.Name} on {string.Join(", ", started.Hosts)}"],
        StepStarted started => [$"  {started.Run.Step.Describe()}"],
        StepProgressed { Run: var run, Progress: StepProgress.Output output } => [$"  {run.Step.Host} | {output.Text}"],
        StepProgressed { Run: var run, Progress: StepProgress.Draining draining } => [$"  {run.Step.Host}: {Shown.Sessions(draining.Sessions)} left"],
        StepProgressed { Progress: StepProgress.Watched watched } => [$"  after {Shown.Time(watched.Elapsed)}: {watched.Figures}"],
        StepProgressed { Run: { Step: not PreflightStep and not StageStep } run, Progress: StepProgress.Message message } => [$"  {run.Step.Host}: {message.Text}"],
        StepRetried retried => [$"  {retried.Run.Step.Host}: {retried.Error.Message}; asking again in {Shown.Time(retried.Wait)}"],
        StepEnded { End.Succeeded: true } ended => [$"  {Name(ended.Run)}: {(ended.End.Detail.Length > 0 ? ended.End.Detail : "done")} ({Shown.Time(ended.Elapsed)})"],
        StepEnded ended => [$"  {Name(ended.Run)} FAILED after {Shown.Time(ended.Elapsed)}: {ended.End.Error?.Message}"],
        HostDone done => [$"  {done.Host}: {(done.Release is null ? "is empty, as before" : $"serves {done.Release.Version}")}{(done.IsRollback ? " again" : "")} ({Shown.Time(done.Elapsed)})"],
        HostFailed { PassedOver: true } failed => [$"  {failed.Host}: failed, stays out of rotation; {failed.FailedHosts} of {failed.Budget} hosts of the failure budget are spent"],
        HostFailed failed => [$"  {failed.Host}: failed; the failure budget of {failed.Budget} is spent"],
        StopRequested stop => [$"stopping after {Count(stop.Running.Count, "running step")}; once more Ctrl-C aborts"],
        RollbackStarted rollback => [$"rolling back {string.Join(", ", rollback.Hosts)}, the last one first"],
        Recalled recalled => [Of(recalled)],
        RecordNotKept kept => [.. kept.Errors.Select(e => $"an agent does not keep this deployment's record, for other machines to go on with: {e.Message}")],
        DeploymentEnded ended => Ending(ended),
        _ => [],
    };

    /// <summary>Whence something is known.</summary>
    public static string Of(Recalled recalled)
        => $"deployment {recalled.Deployment}: attempt {recalled.Attempt}, by {recalled.Writer}, is known from the agents of {string.Join(", ", recalled.From)}"
            + (recalled.Behind.Count == 0 ? "" : $"; {string.Join(", ", recalled.Behind)} {(recalled.Behind.Count == 1 ? "has" : "have")} an older record: the newest counts");

    /// <summary>How a deployment ended: what, where every host stands, what next.</summary>
    private static IEnumerable<string> Ending(DeploymentEnded ended)
    {
        var outcome = ended.Outcome;
        yield return "";
        if (outcome.Failure is { } failure)
        {
            yield return $"failed: {failure.Run.Step.Host}: {failure.Run.Step.Verb}: {failure.Error.Message}";
            foreach (var line in failure.Tail.Where(l => !failure.Error.Message.Contains(l, StringComparison.Ordinal)).TakeLast(10)) yield return $"  | {line}";
            if (failure.Error.WhatNext.Length > 0) yield return $"  next: {failure.Error.WhatNext}";
        }

        foreach (var line in outcome.Summary.Split('\n')) yield return line;
        if (outcome.Status is not DeploymentStatus.NothingToDo)
        {
            foreach (var host in outcome.Hosts)
                yield return $"  {host.Host}: {Position(host.Position)}, {host.Detail}";
        }

        if (outcome.WhatNext.Length > 0) yield return $"next: {outcome.WhatNext}";
        if (outcome.Status is not DeploymentStatus.NothingToDo) yield return $"deployment {ended.Deployment}: {Shown.Status(outcome.Status)} after {Shown.Time(ended.Elapsed)}";
    }

    /// <summary>How far a host got.</summary>
    public static string Position(HostPosition position) => position switch
    {
        HostPosition.Untouched => "untouched",
        HostPosition.Done => "done",
        HostPosition.RolledBack => "rolled back",
        HostPosition.OutOfRotation => "OUT OF ROTATION",
        HostPosition.Halfway => "HALF WAY",
        _ => "UNKNOWN",
    };

    private static string Name(StepRun run) => $"{run.Step.Host}: {(run.IsRollback ? "rollback: " : "")}{run.Step.Verb}";

    private static string Count(int count, string what) => count == 1 ? $"1 {what}" : $"{count} {what}s";
}
