using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>
/// Replace: drain, stop, start in the same slot, wait until healthy, put back. Other cutovers stand beside this one: each makes the
/// steps of one host and knows nothing of waves.
/// </summary>
internal static class ReplaceCutover
{
    /// <summary>
    /// From what runs to the new release. A host that runs nothing is drained too: the balancer must not send to an
    /// instance that is still booting.
    /// </summary>
    public static IReadOnlyList<Step> Deploy(DeploymentManifest manifest, ManifestHost host, ReleaseId? from, ReleaseId to, int minOthersUp)
        => [
            .. DrainEverywhere(manifest, host, minOthersUp),
            .. from is null ? [] : Stop(manifest, host, from),
            .. Start(manifest, host, to),
            .. UndrainEverywhere(manifest, host),
        ];

    /// <summary>
    /// Back to an earlier release, or to nothing. Stops whatever is there, whether or not something was seen running: after a
    /// failure an instance may be about to be started again, and stopping nothing does no harm.
    /// </summary>
    public static IReadOnlyList<Step> GoBack(DeploymentManifest manifest, ManifestHost host, ReleaseId? from, ReleaseId? to, int minOthersUp)
        => [
            .. DrainEverywhere(manifest, host, minOthersUp),
            .. Stop(manifest, host, from),
            .. to is null ? [] : Start(manifest, host, to),
            .. to is null ? [] : UndrainEverywhere(manifest, host),
        ];

    /// <summary>A host that runs what it should and may only have been taken out of a balancer.</summary>
    public static IReadOnlyList<Step> PutBack(DeploymentManifest manifest, ManifestHost host, ReleaseId running)
        => [AwaitHealthy(manifest, host, running), .. UndrainEverywhere(manifest, host)];

    private static IEnumerable<Step> DrainEverywhere(DeploymentManifest manifest, ManifestHost host, int minOthersUp)
        => manifest.Balancers.Select(b => new DrainStep(b, host.Name, manifest.App, manifest.Strategy.DrainTimeout, minOthersUp));

    private static IEnumerable<Step> UndrainEverywhere(DeploymentManifest manifest, ManifestHost host)
        => manifest.Balancers.Select(b => new UndrainStep(b, host.Name, manifest.App, manifest.Strategy.UndrainTimeout));

    private static IEnumerable<Step> Stop(DeploymentManifest manifest, ManifestHost host, ReleaseId? running)
        => [new StopStep(host, manifest.App, running, manifest.Strategy.StopTimeout, manifest.Strategy.TermTimeout)];

    private static IEnumerable<Step> Start(DeploymentManifest manifest, ManifestHost host, ReleaseId release)
        => [new StartStep(host, manifest.App, release, manifest.Health), AwaitHealthy(manifest, host, release)];

    private static AwaitHealthyStep AwaitHealthy(DeploymentManifest manifest, ManifestHost host, ReleaseId release)
        => new(host, manifest.App, release, manifest.Health, manifest.Strategy.HealthyDeadline, manifest.Strategy.MinHealthy);
}
