using Decant.Controller.Manifest;

namespace Decant.Controller.Planning;

/// <summary>Plans the way back: no staging, no migration, releases that are on the hosts already.</summary>
internal static class RollbackPlanning
{
    /// <summary>After a failed deployment: the hosts given, in the order given.</summary>
    public static PlanResult Make(DeploymentManifest manifest, FleetObservation fleet, IReadOnlyList<HostRollback> hosts)
    {
        var changes = new List<HostChange>();
        var refusals = new List<PlanRefusal>();
        foreach (var back in hosts)
        {
            var (change, refusal) = ChangeOf(manifest, fleet, back);
            if (change is not null && changes.Any(c => c.Name == back.Host)) refusal = PlanRefusals.NamedTwice(back.Host);
            if (refusal is not null) refusals.Add(refusal);
            else changes.Add(change!);
        }

        // Where no two releases may run at once, all go back or none.
        if (refusals.Count > 0 && (changes.Count == 0 || manifest.Strategy.Kind == StrategyKind.Recreate)) return new PlanResult.Refused(refusals);
        var untouched = manifest.Hosts
            .Where(h => !hosts.Any(b => b.Host == h.Name))
            .Select(h => new UntouchedHost(h.Name, "was not changed"));
        var planning = new WavePlanning(manifest, fleet, isRollback: true, []);
        var plan = PlanOf(manifest, StrategyPlanning.RollbackWaves(manifest, planning, changes, idleFirst: false), [.. untouched]);
        refusals.AddRange(planning.Refused.Select(c => PlanRefusals.TooFewInRotation(c.Name, manifest)));
        return refusals.Count > 0 ? new PlanResult.Partial(plan, refusals) : new PlanResult.Made(plan);
    }

    /// <summary>At the operator's wish: every host that has a last good release.</summary>
    public static PlanResult MakeToLastGood(DeploymentManifest manifest, FleetObservation fleet)
    {
        var (seen, unseen) = Observed.Hosts(manifest, fleet);
        var refusals = new List<PlanRefusal>(unseen);
        var changes = new List<HostChange>();
        var untouched = new List<UntouchedHost>();
        foreach (var (host, observation) in seen)
        {
            if (observation.LastGood is not { } good)
            {
                untouched.Add(new UntouchedHost(host.Name, "has no earlier good release to go back to", IsThere: false));
                continue;
            }

            var active = HostView.Of(manifest, fleet, host, observation.Instances, good).Active;
            var (change, refusal) = ChangeOf(manifest, fleet, new HostRollback(host.Name, good, WhyLastGood(active)));
            if (refusal is not null) refusals.Add(refusal);
            else changes.Add(change!);
        }

        refusals.AddRange(Observed.Beside(manifest, seen, changes));
        var planning = new WavePlanning(manifest, fleet, isRollback: true, []);
        var waves = StrategyPlanning.RollbackWaves(manifest, planning, changes, idleFirst: true);
        refusals.AddRange(planning.Refused.Select(c => PlanRefusals.TooFewInRotation(c.Name, manifest)));
        return refusals.Count > 0
            ? new PlanResult.Refused([.. manifest.Hosts.SelectMany(h => refusals.Where(r => r.Host == h.Name))])
            : new PlanResult.Made(PlanOf(manifest, waves, untouched));
    }

    private static string WhyLastGood(RunningInstance? active) => active switch
    {
        null => "nothing runs there",
        { Healthy: false } running => $"{running.Release} runs there but is not healthy",
        var running => $"goes back from {running.Release} to its last good release",
    };

    private static (HostChange? Change, PlanRefusal? Refusal) ChangeOf(DeploymentManifest manifest, FleetObservation fleet, HostRollback back)
    {
        var host = manifest.Hosts.FirstOrDefault(h => h.Name == back.Host);
        if (host is null) return (null, PlanRefusals.NotInManifest(back.Host));
        if (Observed.Host(host, fleet, out var refusal) is not { } seen) return (null, refusal);
        if (back.To is { } to && !seen.Staged.Contains(to)) return (null, PlanRefusals.NotStaged(host, manifest.App, to));

        var view = HostView.Of(manifest, fleet, host, seen.Instances, back.To);
        return (new HostChange(view, TargetOf(view, back), back.To, back.Why), null);
    }

    /// <summary>Where it ran before; else where it still runs, warm; else where a new release would go.</summary>
    private static SlotSettings TargetOf(HostView view, HostRollback back)
    {
        if (back.Slot is { } before) return before;
        if (back.To is not { } to) return view.Active?.Slot is { } active ? view.Host.Slots.FirstOrDefault(s => s.Name == active.Name) ?? active : view.Host.Slot;
        return view.Instances.FirstOrDefault(i => i.Release == to && i.Healthy)?.Slot ?? view.TargetFor(to);
    }

    private static Plan PlanOf(DeploymentManifest manifest, IReadOnlyList<Wave> waves, IReadOnlyList<UntouchedHost> untouched)
    {
        var targets = waves.SelectMany(w => w.Hosts).Select(c => c.To).Distinct().ToList();
        return new Plan(manifest.App, PlanIntent.Rollback, targets.Count == 1 ? targets[0] : null, [], waves, [], untouched)
        {
            Remark = manifest.Migrations is null ? null : "migrations are not undone: the database stays as it is",
        };
    }
}
