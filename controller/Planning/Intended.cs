using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>
/// What each host should run. By the deployments that are known here, as long as at least half of the hosts still run what these left them with;
/// otherwise somebody has deployed from elsewhere, and what most hosts run counts. Pure.
/// </summary>
internal sealed class Intended
{
    private readonly IReadOnlyDictionary<HostName, ReleaseId> known;
    private readonly ReleaseId? most;

    private Intended(IReadOnlyDictionary<HostName, ReleaseId> known, ReleaseId? most, bool isStale) => (this.known, this.most, IsStale) = (known, most, isStale);

    /// <summary>Most hosts run something else than the deployments that are known here left them with.</summary>
    public bool IsStale { get; }

    /// <summary>What most hosts run; of several such, the one that comes first in the manifest; null: nothing runs.</summary>
    public ReleaseId? Most => most;

    /// <summary>Finds it out.</summary>
    public static Intended Of(DeploymentManifest manifest, FleetObservation fleet, KnownDeployment deployment)
    {
        var running = manifest.Hosts
            .Select(h => (h.Name, Release: ActiveOn(manifest, fleet, h, deployment.Releases.GetValueOrDefault(h.Name))?.Release))
            .Where(h => h.Release is not null)
            .ToList();
        var others = running.Count(h => deployment.Releases.TryGetValue(h.Name, out var known) && known != h.Release);
        var same = running.Count(h => deployment.Releases.TryGetValue(h.Name, out var known) && known == h.Release);
        // Stable: groups keep the order in which they were first met.
        var most = running.GroupBy(h => h.Release).OrderByDescending(g => g.Count()).FirstOrDefault()?.Key;
        return new Intended(deployment.Releases, most, isStale: others > same && !deployment.IsCertain && deployment.Unfinished is null);
    }

    /// <summary>What a host should run; null: nothing is known.</summary>
    public ReleaseId? On(HostName host) => !IsStale && known.TryGetValue(host, out var release) ? release : most;

    /// <summary>What runs on a host and serves, or would; null: nothing, or it is not known.</summary>
    public static RunningInstance? ActiveOn(DeploymentManifest manifest, FleetObservation fleet, ManifestHost host, ReleaseId? wanted)
    {
        if (fleet.Hosts.GetValueOrDefault(host.Name) is not HostObservation.Seen seen) return null;
        var active = HostView.Of(manifest, fleet, host, seen.Instances, wanted).Active;
        // Of two with traffic the one that is to go counts as active: here the one that is to stay.
        return active is not null && active.Release != wanted
            && seen.Instances.FirstOrDefault(i => i.Release == wanted && i.Healthy && HostView.IsInRotation(manifest, fleet, host.Name, i)) is { } right
            ? right
            : active;
    }
}
