using Decant.Controller.Planning;
using Decant.Errors;

namespace Decant.Controller.Execution;

/// <summary>Says how an attempt ended: what failed where, what state every host is in, what the operator can do. Pure.</summary>
internal sealed class OutcomeReport(
    DeploymentRun run,
    DeploymentStatus status,
    IReadOnlyList<HostAccount> accounts,
    IReadOnlyList<StepFailure> failures,
    IReadOnlyList<StepFailure> warnings,
    StepResult? migration,
    Exception? fault,
    OperatorError? loss)
{
    /// <summary>The outcome.</summary>
    public DeploymentOutcome Outcome()
    {
        var hosts = accounts.Select(a => a.Standing()).ToList();
        var summary = string.Join(' ', Sentences(hosts).Where(s => s.Length > 0));
        return new DeploymentOutcome(run.Id, status, summary, WhatNext(hosts), hosts, failures.Count == 0 ? null : failures[0]);
    }

    private string What => run.Plan switch
    {
        { Intent: PlanIntent.Repair } => $"what is meant to run of {run.Manifest.App}",
        { Intent: PlanIntent.Rollback, Release: null } => $"the rollback of {run.Manifest.App}",
        var plan => $"{run.Manifest.App} {plan.Release?.Version}",
    };

    private string Resume => $"decant resume {run.Id}";

    private IEnumerable<string> Sentences(List<HostStanding> hosts) => status switch
    {
        DeploymentStatus.Succeeded => [Succeeded(hosts), .. PassedOver(hosts), Schema, .. warnings.Select(w => $"Not done: {Why(w)}.")],
        DeploymentStatus.NothingToDo => [$"{What} runs on every host already: nothing to do."],
        DeploymentStatus.FailedUntouched => [FirstFailure, "No instance was touched: every host keeps serving what it served.", Migration],
        DeploymentStatus.RolledBack => [FirstFailure, $"{Count(hosts.Count(h => h.Position == HostPosition.RolledBack))} rolled back: every host runs what it ran before.", Migration],
        DeploymentStatus.FailedPartly => [Fault, FirstFailure, run.Plan.Intent == PlanIntent.Repair ? "" : "Not everything is as it was before.", .. Left(hosts), Serving(hosts), Migration],
        DeploymentStatus.AwaitingPromotion => [$"{What} runs on the canaries, which have proved themselves: {string.Join(", ", hosts.Where(h => h.Position is not HostPosition.Untouched).Select(h => h.Host))}.", Migration],
        DeploymentStatus.LeaseLost => [$"Stopped at once: {loss?.Message.TrimEnd('.')}.", "Nothing was changed or undone since.", .. Left(hosts), Migration],
        DeploymentStatus.Aborted => ["Aborted: steps that were running may or may not have been done.", FirstFailure, .. Left(hosts), Migration],
        _ => ["Stopped between two steps.", FirstFailure, .. Left(hosts), Migration],
    };

    // A canary that an earlier attempt has cut over is done, and left alone by the plan that goes on.
    private string Succeeded(List<HostStanding> hosts)
        => $"{What} runs on {Count(hosts.Where(h => h.Position is HostPosition.Done).Select(h => h.Host).Union(run.Plan.Untouched.Where(u => u.IsThere).Select(u => u.Host)).Count())}.";

    private IEnumerable<string> PassedOver(List<HostStanding> hosts)
        => hosts.Where(IsPassedOver).Select(h => $"{h.Host} failed within the budget: {h.Detail}.");

    /// <summary>One that failed at its drain serves what it served, and is not where it was to be either.</summary>
    private bool IsPassedOver(HostStanding host)
        => host.Position is not HostPosition.Done and not HostPosition.Untouched
            || (host.Position is HostPosition.Untouched && failures.Any(f => f.Run.Step.Hosts.Contains(host.Host)));

    private static IEnumerable<string> Left(List<HostStanding> hosts)
        => hosts.Where(h => h.Position is not HostPosition.Untouched).Select(h => $"{h.Host}: {h.Detail}.");

    /// <summary>What became of the database in a rollback.</summary>
    private string Schema => run.Plan switch
    {
        { Afterwards: [{ Steps: [MigrateDownStep down] }] } => $"The down-migration was run from {down.Release.Version} on {down.Host}.",
        { Remark: { Length: > 0 } remark } => $"{char.ToUpperInvariant(remark[0])}{remark[1..]}.",
        _ => "",
    };

    /// <summary>Which release serves where.</summary>
    private static string Serving(List<HostStanding> hosts)
    {
        var serving = hosts.Where(h => h is { Release: not null, Position: HostPosition.Untouched or HostPosition.Done or HostPosition.RolledBack }).ToList();
        if (serving.Count == 0) return "No host is known to serve.";
        var where = serving.GroupBy(h => h.Release!.Version).Select(g => $"{g.Key} on {string.Join(", ", g.Select(h => h.Host))}");
        return $"{serving.Count} of {Count(hosts.Count)} serve: {string.Join("; ", where)}.";
    }

    private string FirstFailure => failures.Count == 0 ? "" : $"{char.ToUpperInvariant(Why(failures[0])[0])}{Why(failures[0])[1..]}.";

    private string Fault => fault is null ? "" : $"The journal cannot be written, so nothing more was begun: {fault.Message}.";

    private string Migration => migration switch
    {
        null => "",
        { End.State: StepState.Unknown or StepState.Aborted } m => $"Whether the migration was run is not known: its agent is {m.Run.Step.Agent}.",
        { End.Succeeded: true } when status != DeploymentStatus.Stopped => "The migration was run and stays: migrations are not undone.",
        _ => "",
    };

    private string WhatNext(List<HostStanding> hosts) => status switch
    {
        DeploymentStatus.Succeeded when hosts.Any(IsPassedOver)
            => "see to the hosts that failed, then run `decant deploy` again: it takes up what is missing",
        DeploymentStatus.Stopped or DeploymentStatus.Aborted => $"`{Resume}` goes on",
        DeploymentStatus.LeaseLost => $"see what the other one does or has done (`decant status`); when it is over, `{Resume}` goes on with this deployment, or deploy again",
        DeploymentStatus.AwaitingPromotion => $"`decant promote {run.Id}` goes on with the rest, `decant abort {run.Id}` rolls back",
        DeploymentStatus.FailedPartly when fault is not null => $"make room for or repair the journal, then `{Resume}`",
        DeploymentStatus.FailedPartly when run.Plan.Intent == PlanIntent.Repair
            => $"see to the hosts named, then `decant repair` looks again at what is there; `decant show {run.Id}` has each step",
        DeploymentStatus.FailedPartly when failures is [{ Run.Step: MigrateDownStep }, ..]
            => $"every host is back; look at the database (the down-migration may be half done), mend what it says, then `{Resume}` runs it again",
        DeploymentStatus.FailedPartly when run.Plan.Intent == PlanIntent.Rollback
            => $"see to the hosts named (`decant logs HOST`), then `{Resume}` goes on; the hosts that serve were left alone, and `decant show {run.Id}` has each step",
        DeploymentStatus.FailedPartly => $"see to the hosts named, then `{Resume}` tries again, or `decant rollback` takes back the hosts that were touched; `decant show {run.Id}` has each step",
        DeploymentStatus.FailedUntouched or DeploymentStatus.RolledBack when failures.Count > 0 && failures[0].Error.WhatNext.Length > 0
            => $"{failures[0].Error.WhatNext}; `decant show {run.Id}` has each step",
        DeploymentStatus.FailedUntouched or DeploymentStatus.RolledBack => $"`decant show {run.Id}` has each step",
        _ => "",
    };

    private static string Why(StepFailure failure)
        => $"{failure.Run.Step.Host}: {failure.Run.Step.Verb} {(failure.State == StepState.Unknown ? "cannot be followed" : "failed")}: {failure.Error.Message.TrimEnd('.')}";

    private static string Count(int hosts) => hosts == 1 ? "1 host" : $"{hosts} hosts";
}
