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

    /// <summary>Hosts with a healthy instance: what a balancer can send to.</summary>
    public static IReadOnlySet<HostName> Serving(FleetObservation fleet)
        => fleet.Hosts.Where(h => h.Value is HostObservation.Seen seen && seen.Instances.Any(i => i is { Healthy: true, Retiring: false }))
            .Select(h => h.Key).ToHashSet();

    /// <summary>Hosts of which a healthy instance takes requests at every balancer.</summary>
    public static IReadOnlySet<HostName> InRotation(DeploymentManifest manifest, FleetObservation fleet)
        => manifest.Hosts.Where(h => fleet.Hosts.GetValueOrDefault(h.Name) is HostObservation.Seen seen && seen.Instances.Any(i => i is { Healthy: true, Retiring: false }
            && manifest.Balancers.All(b => fleet.Of(b, h.Name) is not BalancerObservation.Seen || fleet.MemberOf(b, h.Name, i.Slot.Name) is { Standing: MemberStanding.Ready })))
            .Select(h => h.Name).ToHashSet();
}
