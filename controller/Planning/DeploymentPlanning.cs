using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>Plans the deployment of a release: which hosts change, what prepares it, what completes it.</summary>
internal static class DeploymentPlanning
{
    public static PlanResult Make(DeploymentManifest manifest, FleetObservation fleet, ReleaseId release)
    {
        var (seen, refusals) = Observed.Hosts(manifest, fleet);
        if (refusals.Count > 0) return new PlanResult.Refused(refusals);

        var changes = new List<HostChange>();
        var untouched = new List<UntouchedHost>();
        foreach (var (host, observation) in seen)
        {
            if (WhyChange(manifest.App, host, observation.Running, release) is { } why)
                changes.Add(new HostChange(host, observation.Running?.Release, release, observation.Running is { Healthy: true }, why));
            else
                untouched.Add(new UntouchedHost(host.Name, $"runs {release} already"));
        }

        var batch = WavePlanning.BatchOf(manifest);
        return new PlanResult.Made(new Plan(
            manifest.App,
            PlanIntent.Deploy,
            release,
            Preparation(manifest, release, [.. changes.Select(c => c.Host)]),
            WavePlanning.Number(
                WavePlanning.IdleFirst(changes, batch),
                Observed.Serving(fleet),
                batch,
                (change, minOthersUp) => ReplaceCutover.Deploy(manifest, change.Host, change.From, release, minOthersUp)),
            changes.Count == 0 ? [] : [.. seen.Select(s => new PruneStep(s.Host, manifest.App, manifest.KeepReleases))],
            untouched));
    }

    /// <summary>Why the host has to be cut over; null when it already runs the release, healthy, as the manifest wants it.</summary>
    private static string? WhyChange(AppName app, ManifestHost host, RunningInstance? running, ReleaseId release)
    {
        if (running is null) return "nothing runs there";
        if (running.Release != release)
            return running.Healthy ? $"replaces {running.Release}" : $"{running.Release} runs there but is not healthy";
        if (!running.Healthy) return $"runs {release} already but is not healthy";
        var differences = SlotDifference.Between(app, running.Slot, host.Slot);
        return differences.Count == 0 ? null : $"runs {release} already with other settings: {string.Join(", ", differences)}";
    }

    private static List<PlanPhase> Preparation(DeploymentManifest manifest, ReleaseId release, IReadOnlyList<ManifestHost> touched)
    {
        if (touched.Count == 0) return [];
        var phases = new List<PlanPhase>
        {
            new("stage", [.. touched.Select(h => new StageStep(h, manifest.App, release))]),
            new("preflight", [.. touched.Select(h => new PreflightStep(h, manifest.App, release))]),
        };
        if (manifest.Migrations is { } migration)
        {
            var at = touched.FirstOrDefault(h => h.Name == migration.Host) ?? touched[0];
            phases.Add(new PlanPhase("migrate", [new MigrateStep(at, manifest.App, release, migration)]));
        }

        return phases;
    }
}
