using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>Plans the deployment of a release: which hosts change, what prepares it, what completes it.</summary>
internal static class DeploymentPlanning
{
    public static PlanResult Make(DeploymentManifest manifest, FleetObservation fleet, ReleaseId release, DeploymentScope scope)
    {
        var (seen, refusals) = Observed.Hosts(manifest, fleet);
        if (refusals.Count > 0) return new PlanResult.Refused(refusals);

        var changes = new List<HostChange>();
        var leftOut = new List<HostChange>();
        var untouched = new List<UntouchedHost>();
        foreach (var (host, observation) in seen)
        {
            var view = HostView.Of(manifest, fleet, host, observation.Instances, release);
            var target = view.TargetFor(release);
            if (scope.Only is { } only && !only.Contains(host.Name)) untouched.Add(new UntouchedHost(host.Name, "was not asked for", IsThere: false));
            else if (WhyChange(manifest, fleet, view, target, release) is { } why) changes.Add(new HostChange(view, target, release, why));
            else if (scope.LeftOut.Contains(host.Name)) leftOut.Add(new HostChange(view, view.Active!.Slot, release, "first: was left out of rotation"));
            else untouched.Add(new UntouchedHost(host.Name, $"runs {release} already"));
        }

        if (Observed.Beside(manifest, seen, changes) is { Count: > 0 } beside) return new PlanResult.Refused(beside);
        var planning = new WavePlanning(manifest, fleet, isRollback: false, leftOut);
        var waves = planning.PutBackFirst(StrategyPlanning.Waves(manifest, planning, changes, scope.Canary));
        if (planning.Refused.Count > 0)
            return new PlanResult.Refused([.. planning.Refused.Select(c => PlanRefusals.TooFewInRotation(c.Name, manifest))]);
        if (scope.Only is null) waves = [.. waves, .. Leaving(manifest, fleet, waves.Count)];
        return new PlanResult.Made(new Plan(
            manifest.App,
            PlanIntent.Deploy,
            release,
            Preparation(manifest, release, changes),
            waves,
            waves.Count == 0 ? [] : [.. seen.Select(s => new PruneStep(s.Host, manifest.App, manifest.KeepReleases))],
            untouched));
    }

    /// <summary>Why the host has to be cut over; null when it already runs the release, healthy, as the manifest wants it.</summary>
    private static string? WhyChange(DeploymentManifest manifest, FleetObservation fleet, HostView view, SlotSettings target, ReleaseId release)
    {
        if (view.Active is not { } running) return "nothing runs there";
        if (running.Release != release)
        {
            return !running.Healthy ? $"{running.Release} runs there but is not healthy"
                : view.In(target.Name) is { Healthy: true } there && there.Release == release ? $"{release} runs there beside {running.Release}"
                : $"replaces {running.Release}";
        }

        if (!running.Healthy) return $"runs {release} already but is not healthy";
        if (running.Slot.Name != target.Name) return $"runs {release} in {running.Slot.Name}, which is no slot of the manifest";
        var differences = SlotDifference.Between(manifest.App, running.Slot, target);
        if (differences.Count > 0) return $"runs {release} already with other settings: {string.Join(", ", differences)}";
        if (view.Instances.FirstOrDefault(i => i != running && !i.Retiring) is { } left) return $"runs {release} already, but {left.Release} was left running in {left.Slot.Name}";
        return manifest.Balancers.Select(b => fleet.MemberOf(b, view.Host.Name, running.Slot.Name)).FirstOrDefault(m => m is { Weight: < 100, IsOut: false }) is { } share
            ? $"runs {release} already with {share.Weight} % of a full share"
            : null;
    }

    private static List<PlanPhase> Preparation(DeploymentManifest manifest, ReleaseId release, List<HostChange> changes)
    {
        if (changes.Count == 0) return [];
        var phases = new List<PlanPhase>
        {
            new("stage", [.. changes.Select(c => new StageStep(c.View.Host, manifest.App, release))]),
            new("preflight", [.. changes.Select(c => new PreflightStep(
                c.View.Host.In(c.Target),
                manifest.App,
                release,
                PortIsFreed: c.View.Instances.Any(i => i.Slot.Name != c.Target.Name && i.Slot.Port == c.Target.Port)))]),
        };
        if (manifest.Migrations is { } migration)
        {
            var at = changes.FirstOrDefault(c => c.Name == migration.Host) ?? changes[0];
            phases.Add(new PlanPhase("migrate", [new MigrateStep(at.View.Host.In(at.Target), manifest.App, release, migration)]));
        }

        return phases;
    }

    /// <summary>Hosts that the last manifest had and this one has not: out of rotation, stopped, and no members any more. Last, when the others serve.</summary>
    private static IEnumerable<Wave> Leaving(DeploymentManifest manifest, FleetObservation fleet, int wavesBefore)
    {
        var cutovers = new List<HostCutover>();
        foreach (var host in fleet.Leaving)
        {
            var seen = fleet.Hosts.GetValueOrDefault(host.Name) as HostObservation.Seen;
            var view = HostView.Of(manifest, fleet, host, seen?.Instances ?? [], null);
            var steps = new HostCutoverPlanning(manifest, fleet, view).Leave(isReachable: seen is not null);
            if (seen is null) steps = [.. steps.Where(s => s.Agent != host.Agent)];
            if (steps.Count == 0) continue;
            var why = seen is null ? "is no longer in the manifest, and its agent does not answer: what runs there is left alone" : "is no longer in the manifest";
            cutovers.Add(new HostCutover(host.Name, view.Active?.Release, null, why, steps));
        }

        return cutovers.Count == 0 ? [] : [new Wave(wavesBefore + 1, cutovers)];
    }
}
