using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>One host as a plan sees it: what runs in its slots, and which of that serves.</summary>
/// <param name="Host">As the manifest has it.</param>
/// <param name="Instances">What runs.</param>
/// <param name="Active">The instance that serves, or would if it were put back; null when nothing runs.</param>
internal sealed record HostView(ManifestHost Host, IReadOnlyList<RunningInstance> Instances, RunningInstance? Active)
{
    /// <summary>It takes requests at every balancer: what takes it out, takes capacity away.</summary>
    public bool Serves { get; private init; }

    /// <summary>Looks at a host.</summary>
    /// <param name="manifest">Names the balancers.</param>
    /// <param name="fleet">What was seen.</param>
    /// <param name="host">The host.</param>
    /// <param name="instances">What runs on it.</param>
    /// <param name="wanted">
    /// What is to run there: where two instances have traffic, because a switch stopped half way or a canary has a share of it, the one that
    /// is to go counts as active.
    /// </param>
    public static HostView Of(
        DeploymentManifest manifest, FleetObservation fleet, ManifestHost host, IReadOnlyList<RunningInstance> instances, ReleaseId? wanted)
    {
        var active = instances
            .OrderByDescending(i => IsInRotation(manifest, fleet, host.Name, i))
            // One that was put in and never came up is in rotation, too: the one that has the traffic is the other.
            .ThenByDescending(i => Observed.HasTraffic(manifest, fleet, host.Name, i))
            .ThenBy(i => i.Retiring)
            .ThenBy(i => i.Release == wanted)
            .ThenByDescending(i => i.Healthy)
            .FirstOrDefault();
        return new HostView(host, instances, active) { Serves = Observed.Serves(manifest, fleet, host.Name, instances) };
    }

    /// <summary>What runs in a slot; null when nothing does.</summary>
    public RunningInstance? In(SlotName slot) => Instances.FirstOrDefault(i => i.Slot.Name == slot);

    /// <summary>
    /// The slot that a new release goes to: the one slot; of two, the one that does not serve. A slot that runs the wanted release already
    /// is its place.
    /// </summary>
    public SlotSettings TargetFor(ReleaseId wanted)
    {
        if (Host.Slots.Count == 1) return Host.Slot;
        if (Active is { } serving && Host.Slots.FirstOrDefault(s => s.Name == serving.Slot.Name) is { } own)
            return serving.Release == wanted && serving.Healthy ? own : Host.Slots.First(s => s.Name != own.Name);
        return Host.Slots[0];
    }

    /// <summary>A balancer sends to it, or may; where there is no balancer, it is not kept warm.</summary>
    public static bool IsInRotation(DeploymentManifest manifest, FleetObservation fleet, HostName host, RunningInstance instance)
        => manifest.Balancers.Count == 0
            ? !instance.Retiring
            : manifest.Balancers.Any(b => fleet.Of(b, host) is not BalancerObservation.Seen
                || fleet.MemberOf(b, host, instance.Slot.Name) is { IsOut: false });
}
