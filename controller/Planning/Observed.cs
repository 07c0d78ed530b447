using Decant.Controller.Fleet;
using Decant.Controller.Manifest;

namespace Decant.Controller.Planning;

/// <summary>Reads the observed fleet for planning.</summary>
internal static class Observed
{
    /// <summary>The manifest's hosts with what was seen there, in its order, and a refusal for each that was not seen.</summary>
    public static (IReadOnlyList<(ManifestHost Host, HostObservation.Seen Observation)> Seen, IReadOnlyList<PlanRefusal> Refusals) Hosts(
        DeploymentManifest manifest, FleetObservation fleet)
    {
        var seen = new List<(ManifestHost, HostObservation.Seen)>();
        var refusals = new List<PlanRefusal>();
        foreach (var host in manifest.Hosts)
        {
            if (Host(host, fleet, out var refusal) is { } observation) seen.Add((host, observation));
            else refusals.Add(refusal!);
        }

        return (seen, refusals);
    }

    /// <summary>What was seen on one host; null, and a refusal, when nothing was.</summary>
    public static HostObservation.Seen? Host(ManifestHost host, FleetObservation fleet, out PlanRefusal? refusal)
    {
        var observation = fleet.Hosts.GetValueOrDefault(host.Name);
        refusal = observation switch
        {
            HostObservation.Seen => null,
            HostObservation.Unreachable unreachable => PlanRefusals.Unreachable(host, unreachable.Error),
            _ => PlanRefusals.NotObserved(host.Name),
        };
        return observation as HostObservation.Seen;
    }

    /// <summary>Hosts that take requests at every balancer.</summary>
    public static IReadOnlySet<HostName> Serving(DeploymentManifest manifest, FleetObservation fleet)
        => fleet.Hosts.Where(h => h.Value is HostObservation.Seen seen && Serves(manifest, fleet, h.Key, seen.Instances)).Select(h => h.Key).ToHashSet();

    /// <summary>
    /// At every balancer some healthy instance is in: half way through a switch not the same one at each. A balancer that says nothing of a member
    /// is taken to have it in.
    /// </summary>
    public static bool Serves(DeploymentManifest manifest, FleetObservation fleet, HostName host, IReadOnlyList<RunningInstance> instances)
        => manifest.Balancers.Count == 0
            ? instances.Any(i => i is { Healthy: true, Retiring: false })
            : manifest.Balancers.All(b => instances.Any(i => i.Healthy && IsIn(b, fleet, host, i)));

    /// <summary>Some balancer sends to it, as far as it says.</summary>
    public static bool HasTraffic(DeploymentManifest manifest, FleetObservation fleet, HostName host, RunningInstance instance)
        => manifest.Balancers.Any(b => IsIn(b, fleet, host, instance));

    /// <summary>With a strategy that lets no two releases run at once: hosts that would run another one than those that change.</summary>
    public static IReadOnlyList<PlanRefusal> Beside(
        DeploymentManifest manifest, IReadOnlyList<(ManifestHost Host, HostObservation.Seen Observation)> seen, IReadOnlyList<HostChange> changes)
    {
        if (manifest.Strategy.Kind != StrategyKind.Recreate || changes.Count == 0) return [];
        var after = seen.SelectMany(s => changes.FirstOrDefault(c => c.Name == s.Host.Name) is { } change
            ? [(Host: s.Host.Name, Runs: change.To!)]
            : s.Observation.Instances.Select(i => (Host: s.Host.Name, Runs: i.Release))).ToList();
        var wanted = changes[0].To!;
        return [.. after.Where(a => a.Runs != wanted).DistinctBy(a => a.Host).Select(a => PlanRefusals.RunsBeside(a.Host, a.Runs))];
    }

    private static bool IsIn(ManifestBalancer balancer, FleetObservation fleet, HostName host, RunningInstance instance)
        => fleet.Of(balancer, host) is not BalancerObservation.Seen
            ? !instance.Retiring
            : fleet.MemberOf(balancer, host, instance.Slot.Name) is { Standing: MemberStanding.Ready };
}
