using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Tests.Planning;

/// <summary>A fleet as a value that changes as a plan's steps say when all goes well: what a plan promises can be read off it.</summary>
internal sealed class PlayedFleet(DeploymentManifest manifest)
{
    private readonly Dictionary<(HostName Host, SlotName Slot), RunningInstance> instances = [];
    private readonly HashSet<MemberSeat> ready = [];

    /// <summary>Hosts that some healthy instance serves at every balancer.</summary>
    public int Served => manifest.Hosts.Count(h => manifest.Balancers.Count > 0 && manifest.Balancers.All(b =>
        h.Slots.Any(s => ready.Contains(new MemberSeat(b.Key, h.Name, s.Name)) && instances.GetValueOrDefault((h.Name, s.Name)) is { Healthy: true })));

    /// <summary>What serves on each host, with its slot.</summary>
    public IReadOnlyDictionary<HostName, (ReleaseId Release, SlotName Slot)> Serving => (
        from h in manifest.Hosts
        from s in h.Slots
        where instances.GetValueOrDefault((h.Name, s.Name)) is { Healthy: true } && manifest.Balancers.All(b => ready.Contains(new MemberSeat(b.Key, h.Name, s.Name)))
        select (h.Name, Value: (instances[(h.Name, s.Name)].Release, s.Name))).ToDictionary(x => x.Item1, x => (x.Value.Release, x.Value.Name));

    public void Run(HostName host, SlotSettings slot, ReleaseId release, bool healthy = true, bool retiring = false, bool inRotation = true)
    {
        instances[(host, slot.Name)] = new RunningInstance(release, healthy, slot, retiring);
        if (inRotation) ready.UnionWith(manifest.Balancers.Select(b => new MemberSeat(b.Key, host, slot.Name)));
    }

    public FleetObservation Observe() => new(manifest.Hosts.ToDictionary(
        h => h.Name,
        h => (HostObservation)new HostObservation.Seen(
            new HashSet<ReleaseId> { Fleets.Old, Fleets.New }, Fleets.Old, [.. instances.Where(i => i.Key.Host == h.Name).Select(i => i.Value)])))
    {
        Balancers = manifest.Balancers.ToDictionary(
            b => new BalancerSeat(b.Key, null),
            b => (BalancerObservation)new BalancerObservation.Seen((from h in manifest.Hosts from s in h.Slots select (h, s)).ToDictionary(
                m => b.MemberOf(m.h.Name, m.s.Name),
                m => new ObservedMember(
                    !ready.Contains(new MemberSeat(b.Key, m.h.Name, m.s.Name)) ? MemberStanding.Draining
                    : instances.GetValueOrDefault((m.h.Name, m.s.Name)) is { Healthy: true } ? MemberStanding.Ready
                    : MemberStanding.Down)))),
    };

    /// <summary>Walks the waves; the hosts of one wave do each step at the same time, which takes the most away.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="after">Called after every step.</param>
    public void Play(Plan plan, Action<Step> after)
    {
        foreach (var wave in plan.Waves)
        {
            foreach (var move in wave.Moves) Do(move, after);
            for (var i = 0; wave.Hosts.Any(h => i < h.Steps.Count); i++)
            {
                foreach (var host in wave.Hosts.Where(h => i < h.Steps.Count)) Do(host.Steps[i], after);
            }
        }
    }

    private void Do(Step step, Action<Step> after)
    {
        ready.ExceptWith(step.TakesOut);
        ready.UnionWith(step.PutsIn);
        switch (step)
        {
            case StopStep stop:
                instances.Remove((stop.Host, stop.At.Slot.Name));
                break;
            case StartStep start:
                instances[(start.Host, start.At.Slot.Name)] = new RunningInstance(start.Release, Healthy: false, start.At.Slot);
                break;
            case AwaitHealthyStep await:
                instances[(await.Host, await.At.Slot.Name)] = instances[(await.Host, await.At.Slot.Name)] with { Healthy = true };
                break;
            case RetireStep retire:
                instances[(retire.Host, retire.At.Slot.Name)] = instances[(retire.Host, retire.At.Slot.Name)] with { Retiring = true };
                break;
            case KeepStep keep:
                instances[(keep.Host, keep.At.Slot.Name)] = instances[(keep.Host, keep.At.Slot.Name)] with { Retiring = false };
                break;
        }

        after(step);
    }
}
