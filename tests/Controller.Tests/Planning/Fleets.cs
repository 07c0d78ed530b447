using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Controller.Tests.Manifest;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Tests.Planning;

/// <summary>Fleets to plan for.</summary>
internal static class Fleets
{
    public static readonly ReleaseId Old = Release("1.1.0", 'a');
    public static readonly ReleaseId New = Release("1.2.0", 'b');

    public static ReleaseId Release(string version, char digit) => new(ReleaseVersion.Parse(version), Sha256Digest.Parse(new string(digit, 64)));

    /// <summary>A manifest of hosts web1, web2, … behind balancers edge1, edge2, …</summary>
    public static DeploymentManifest ManifestOf(int hosts, int balancers = 1, string batch = "1", string more = "", string? strategy = null)
        => Manifests.Read($$"""
            app: shop
            hosts: { {{string.Join(", ", Enumerable.Range(1, hosts).Select(i => $"web{i}: "))}} }
            balancers: { {{string.Join(", ", Enumerable.Range(1, balancers).Select(i => $"edge{i}: "))}} }
            strategy: { {{strategy ?? $"batch: {batch}"}} }
            {{more}}
            """);

    /// <summary>A manifest of hosts with two slots, behind one balancer.</summary>
    public static DeploymentManifest TwoSlotsOf(int hosts, string strategy, string more = "")
        => Manifests.Read($$"""
            app: shop
            hosts: { {{string.Join(", ", Enumerable.Range(1, hosts).Select(i => $"web{i}: "))}} }
            balancers: { edge: }
            slots: { blue: { port: 4001 }, green: { port: 4002 } }
            strategy: { {{strategy}} }
            {{more}}
            """);

    /// <summary>Observes the manifest's hosts, one state each.</summary>
    public static FleetObservation Observe(DeploymentManifest manifest, params IReadOnlyList<Func<ManifestHost, HostObservation>> states)
        => new(manifest.Hosts.Zip(states).ToDictionary(h => h.First.Name, h => h.Second(h.First)));

    /// <summary>Observes the same state on each of the manifest's hosts.</summary>
    public static FleetObservation All(DeploymentManifest manifest, Func<ManifestHost, HostObservation> state)
        => new(manifest.Hosts.ToDictionary(h => h.Name, state));

    /// <summary>What the balancers say: each has every instance in, but for the hosts named.</summary>
    public static Dictionary<BalancerSeat, BalancerObservation> Members(DeploymentManifest manifest, params string[] @out)
        => manifest.Balancers.ToDictionary(
            b => new BalancerSeat(b.Key, null),
            b => (BalancerObservation)new BalancerObservation.Seen((from h in manifest.Hosts from s in h.Slots select (h, s)).ToDictionary(
                i => b.MemberOf(i.h.Name, i.s.Name),
                i => new ObservedMember(@out.Contains(i.h.Name.Value) ? MemberStanding.Draining : MemberStanding.Ready))));

    public static HostObservation Empty(ManifestHost host) => Seen(null);

    public static HostObservation Serving(ManifestHost host) => Seen(new RunningInstance(Old, Healthy: true, host.Slot));

    public static HostObservation Ailing(ManifestHost host) => Seen(new RunningInstance(Old, Healthy: false, host.Slot));

    public static HostObservation Updated(ManifestHost host) => Seen(new RunningInstance(New, Healthy: true, host.Slot));

    public static HostObservation UpdatedAndAiling(ManifestHost host) => Seen(new RunningInstance(New, Healthy: false, host.Slot));

    public static HostObservation UpdatedOnAnotherPort(ManifestHost host)
        => Seen(new RunningInstance(New, Healthy: true, host.Slot with { Port = host.Slot.Port + 1 }));

    public static HostObservation Gone(ManifestHost host)
        => new HostObservation.Unreachable(new OperatorError(StatusCode.Unavailable, "UNAVAILABLE", "connection refused"));

    public static HostObservation.Seen Seen(RunningInstance? running, ReleaseId? lastGood = null, params IReadOnlyList<ReleaseId> staged)
        => new(new HashSet<ReleaseId>(staged.Count > 0 ? staged : [Old, New]), lastGood, running is null ? [] : [running]);

    public static Plan Made(PlanResult result) => result switch
    {
        PlanResult.Made made => made.Plan,
        PlanResult.Partial partial => throw new AssertionException(string.Join('\n', partial.Refusals)),
        PlanResult.Refused refused => throw new AssertionException(string.Join('\n', refused.Refusals)),
        _ => throw new AssertionException("no result"),
    };
}
