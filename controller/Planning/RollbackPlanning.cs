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
            if (change is not null && changes.Any(c => c.Host.Name == back.Host)) refusal = PlanRefusals.NamedTwice(back.Host);
            if (refusal is not null) refusals.Add(refusal);
            else changes.Add(change!);
        }

        if (refusals.Count > 0 && changes.Count == 0) return new PlanResult.Refused(refusals);
        var batch = WavePlanning.BatchOf(manifest);
        var untouched = manifest.Hosts
            .Where(h => !hosts.Any(b => b.Host == h.Name))
            .Select(h => new UntouchedHost(h.Name, "was not changed"));
        var plan = PlanOf(manifest, fleet, WavePlanning.InOrder(changes, batch), [.. untouched]);
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
                untouched.Add(new UntouchedHost(host.Name, "has no earlier good release to go back to"));
                continue;
            }

            var (change, refusal) = ChangeOf(manifest, fleet, new HostRollback(host.Name, good, WhyLastGood(observation)));
            if (refusal is not null) refusals.Add(refusal);
            else changes.Add(change!);
        }

        return refusals.Count > 0
            ? new PlanResult.Refused([.. manifest.Hosts.SelectMany(h => refusals.Where(r => r.Host == h.Name))])
            : new PlanResult.Made(PlanOf(manifest, fleet, WavePlanning.IdleFirst(changes, WavePlanning.BatchOf(manifest)), untouched));
    }

    private static string WhyLastGood(HostObservation.Seen observation) => observation.Running switch
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

        var before = back.Slot is null ? host : host with { Slot = back.Slot };
        return (new HostChange(before, seen.Running?.Release, back.To, seen.Running is { Healthy: true }, back.Why), null);
    }

    private static Plan PlanOf(
        DeploymentManifest manifest,
        FleetObservation fleet,
        IReadOnlyList<IReadOnlyList<HostChange>> waves,
        IReadOnlyList<UntouchedHost> untouched)
    {
        var targets = waves.SelectMany(w => w).Select(c => c.To).Distinct().ToList();
        return new Plan(
            manifest.App,
            PlanIntent.Rollback,
            targets.Count == 1 ? targets[0] : null,
            [],
            WavePlanning.Number(
                waves, Observed.Serving(fleet), WavePlanning.BatchOf(manifest), (change, min) => StepsOf(manifest, fleet, change, min)),
            [],
            untouched);
    }

    /// <summary>
    /// A host that still runs what it is to go back to was, at most, drained before its deployment failed: it is put back
    /// into the balancers and not stopped for nothing.
    /// </summary>
    private static IReadOnlyList<Step> StepsOf(DeploymentManifest manifest, FleetObservation fleet, HostChange change, int minOthersUp)
    {
        var running = (fleet.Hosts[change.Host.Name] as HostObservation.Seen)?.Running;
        return running is { Healthy: true } && running.Release == change.To
                && SlotDifference.Between(manifest.App, running.Slot, change.Host.Slot).Count == 0
            ? ReplaceCutover.PutBack(manifest, change.Host, running.Release)
            : ReplaceCutover.GoBack(manifest, change.Host, change.From, change.To, minOthersUp);
    }
}
