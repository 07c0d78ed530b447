using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Tests.Simulation;

/// <summary>A balancer with one backend: what it sends to, whoever can talk to it.</summary>
internal sealed class SimulatedBalancer
{
    private readonly World world;
    private readonly ManifestBalancer balancer;
    private readonly Dictionary<(HostName Host, SlotName Slot), SimulatedMember> members = [];
    private TimeSpan silentUntil;

    public SimulatedBalancer(World world, BalancerSeat seat, ManifestBalancer balancer, IReadOnlyList<ManifestHost> hosts, bool isManaged)
    {
        (this.world, this.balancer, Seat, IsManaged) = (world, balancer, seat, isManaged);
        foreach (var (host, slot) in from h in hosts from s in h.Slots select (h, s)) members[(host.Name, slot.Name)] = new SimulatedMember();
    }

    public BalancerSeat Seat { get; }

    /// <summary>Its agent makes members that are missing, and deletes them.</summary>
    public bool IsManaged { get; }

    public bool IsSilent => world.Time.Now < silentUntil;

    public IReadOnlyDictionary<(HostName Host, SlotName Slot), SimulatedMember> Members => members;

    public SimulatedMember? MemberOf(HostName host, SlotName slot) => members.GetValueOrDefault((host, slot));

    /// <summary>It finds the member's instance answering.</summary>
    public bool IsUp(HostName host, SlotName slot)
        => MemberOf(host, slot) is { Ready: true } && Reaches(host, slot);

    /// <summary>Its checks reach an instance there, whether it is in or out.</summary>
    public bool Reaches(HostName host, SlotName slot) => world.Host(host).Instances.GetValueOrDefault(slot) is { IsUp: true };

    public int OthersUp(HostName host, SlotName slot) => members.Keys.Count(k => k != (host, slot) && IsUp(k.Host, k.Slot));

    public void Add(HostName host, SlotName slot) => members[(host, slot)] = new SimulatedMember();

    public void Remove(HostName host, SlotName slot) => members.Remove((host, slot));

    public void Hang(TimeSpan time)
    {
        world.Log($"{Seat} falls silent for {time.TotalSeconds:0.0} s");
        silentUntil = world.Time.Now + time;
    }

    public void Heal() => silentUntil = TimeSpan.Zero;

    /// <summary>A new process is there: no request of the old one's is in flight any more.</summary>
    public void ForgetRequests(HostName host, SlotName slot)
    {
        if (MemberOf(host, slot) is { Ready: false } member) member.Drained = true;
    }

    public BalancerObservation.Seen Seen() => new(
        members.ToDictionary(
            m => balancer.MemberOf(m.Key.Host, m.Key.Slot),
            m => new ObservedMember(
                !m.Value.Ready ? MemberStanding.Draining : Reaches(m.Key.Host, m.Key.Slot) ? MemberStanding.Ready : MemberStanding.Down,
                "",
                m.Value.Weight)),
        IsManaged);
}

/// <summary>A member of a balancer.</summary>
internal sealed class SimulatedMember
{
    /// <summary>It takes new requests when it is up.</summary>
    public bool Ready { get; private set; }

    public int Weight { get; private set; } = 100;

    /// <summary>Nothing is in flight, or what is has had its time.</summary>
    public bool Drained { get; set; } = true;

    public void PutIn(int weight) => (Ready, Weight, Drained) = (true, weight, false);

    public void TakeOut() => Ready = false;
}
