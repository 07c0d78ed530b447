using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>
/// The down-migration of a rollback, when it is asked for: after every host is back, because the newer release must not meet the older schema, and
/// from the newer release, because the older one does not know what to undo. Pure.
/// </summary>
internal static class DownMigration
{
    /// <summary>The release whose migration is undone: the one that is gone back from.</summary>
    /// <param name="plan">The way back.</param>
    /// <param name="manifest">The manifest.</param>
    /// <param name="last">The app's last deployment; null when the journal knows none.</param>
    /// <exception cref="OperatorException">NO_DOWN_MIGRATION, DOWN_MIGRATION_BEGUN, DOWN_MIGRATION_UNCLEAR.</exception>
    public static ReleaseId From(Plan plan, DeploymentManifest manifest, DeploymentRecord? last)
    {
        if (manifest.Migrations is not { Down: not null }) throw new OperatorException(None());
        if (last is { IsUnfinished: true, DownFrom: not null }) throw new OperatorException(Begun(last));
        // Of a deployment that is undone half way, not every host need run the new release any more, or yet.
        if (last is { IsUnfinished: true, Intent: PlanIntent.Deploy, Release: { } release }) return release;
        var from = plan.Waves.SelectMany(w => w.Hosts).Where(h => h.From is not null && h.From != h.To).Select(h => h.From!).Distinct().ToList();
        return from is [var one] ? one : throw new OperatorException(Unclear(from));
    }

    /// <summary>The plan with the down-migration behind it.</summary>
    /// <param name="plan">The way back.</param>
    /// <param name="manifest">The manifest.</param>
    /// <param name="survey">What is seen now.</param>
    /// <param name="from">See <see cref="From"/>.</param>
    /// <exception cref="OperatorException">NO_DOWN_MIGRATION, RELEASE_STAYS, RELEASE_NOT_STAGED.</exception>
    public static Plan AddTo(Plan plan, DeploymentManifest manifest, FleetSurvey survey, ReleaseId from)
    {
        if (manifest.Migrations is not { Down: { } expression } migrations) throw new OperatorException(None());
        var stopped = plan.Waves.SelectMany(w => w.Hosts).SelectMany(h => h.Steps).OfType<StopStep>().Select(s => (s.Host, s.At.Slot.Name)).ToHashSet();
        var staying = manifest.Hosts.Where(h => survey.InstancesOn(h.Name).Any(i => i.Release == from && !stopped.Contains((h.Name, i.Slot.Name)))).ToList();
        if (staying.Count > 0) throw new OperatorException(Stays(from, staying));
        var host = manifest.Hosts.OrderByDescending(h => h.Name == migrations.Host)
            .FirstOrDefault(h => survey.Fleet.Hosts[h.Name] is HostObservation.Seen seen && seen.Staged.Contains(from))
            ?? throw new OperatorException(NotStaged(from));
        return plan with
        {
            Remark = null,
            Afterwards = [new PlanPhase("migrate-down", [new MigrateDownStep(host, manifest.App, from, expression, migrations.Timeout)])],
        };
    }

    private static OperatorError None() => new(
        StatusCode.InvalidArgument,
        "NO_DOWN_MIGRATION",
        "the manifest has no migrations.down, so there is no down-migration to run",
        "add migrations.down, such as Shop.Release.rollback(20260301), to the manifest, or roll back without --down-migration; nothing was touched");

    private static OperatorError Begun(DeploymentRecord last) => new(
        StatusCode.FailedPrecondition,
        "DOWN_MIGRATION_BEGUN",
        $"rollback {last.Id} has a down-migration and did not come to its end: another one could run it twice",
        $"`decant resume {last.Id}` goes on with it, and runs it at most once; nothing was touched");

    private static OperatorError Unclear(List<ReleaseId> from) => new(
        StatusCode.FailedPrecondition,
        "DOWN_MIGRATION_UNCLEAR",
        from.Count == 0
            ? "no host goes back from another release: it is not known whose migration is to be undone"
            : $"the hosts go back from several releases ({string.Join(", ", from)}): it is not known whose migration is to be undone",
        "roll back without --down-migration, then undo the migration by hand: `decant eval` runs an expression; nothing was touched");

    private static OperatorError Stays(ReleaseId from, IReadOnlyList<ManifestHost> hosts) => new(
        StatusCode.FailedPrecondition,
        "RELEASE_STAYS",
        $"{string.Join(", ", hosts.Select(h => h.Name))} would run {from} after the rollback as well: a down-migration would take its schema away",
        "see that every host has an earlier release to go to (`decant releases`), or roll back without --down-migration; nothing was touched");

    private static OperatorError NotStaged(ReleaseId from) => new(
        StatusCode.FailedPrecondition,
        "RELEASE_NOT_STAGED",
        $"no host has {from} any more, and the down-migration runs from it",
        "roll back without --down-migration, then undo the migration by hand; nothing was touched");
}
