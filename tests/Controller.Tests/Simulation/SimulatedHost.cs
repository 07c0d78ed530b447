using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Tests.Simulation;

/// <summary>A server: releases on its disk, and what runs in its slots.</summary>
internal sealed class SimulatedHost(World world, ManifestHost host)
{
    // Oldest first.
    private readonly List<ReleaseId> good = [];

    public HostName Name => host.Name;

    public ManifestHost Manifest => host;

    public Dictionary<SlotName, SimulatedInstance> Instances { get; } = [];

    public HashSet<ReleaseId> Staged { get; } = [];

    /// <summary>What agents have written down that a slot is to run: they start it again when they find nothing there.</summary>
    public Dictionary<SlotName, (ReleaseId Release, SlotSettings Slot)> Wanted { get; } = [];

    public void MarkGood(ReleaseId release)
    {
        good.Remove(release);
        good.Add(release);
    }

    public void ForgetGood(ReleaseId release) => good.Remove(release);

    /// <summary>Puts an instance there that serves already.</summary>
    public void Begin(ReleaseId release, SlotSettings slot)
    {
        Staged.Add(release);
        MarkGood(release);
        Wanted[slot.Name] = (release, slot);
        Instances[slot.Name] = SimulatedInstance.Serving(world, this, release, slot);
    }

    /// <summary>Starts a process.</summary>
    public void Launch(ReleaseId release, SlotSettings slot)
    {
        Instances[slot.Name] = new SimulatedInstance(world, this, release, slot);
        foreach (var balancer in world.BalancersOf(Name)) balancer.ForgetRequests(Name, slot.Name);
    }

    /// <summary>What its agent says.</summary>
    public HostObservation.Seen Seen()
    {
        var serving = Instances.Values.Where(i => !i.Retiring).Select(i => i.Release).ToHashSet();
        return new HostObservation.Seen(
            new HashSet<ReleaseId>(Staged),
            good.LastOrDefault(r => Staged.Contains(r) && !serving.Contains(r)),
            [.. Instances.Values.OrderBy(i => i.Slot.Port).Select(i => new RunningInstance(i.Release, i.LooksHealthy, i.Slot, i.Retiring))]);
    }
}

/// <summary>A process of a release in a slot.</summary>
internal sealed class SimulatedInstance
{
    private readonly World world;
    private readonly SimulatedHost host;
    private Behaviour behaviour;
    private bool isDown;
    private bool isBooted;
    private object? retirement;

    public SimulatedInstance(World world, SimulatedHost host, ReleaseId release, SlotSettings slot)
    {
        (this.world, this.host, Release, Slot) = (world, host, release, slot);
        behaviour = world.Bad.TryGetValue(release, out var bad) ? bad
            : world.Chance(world.Weather.SpoilsStarts) ? (Behaviour)world.Random.Next(1, 4)
            : Behaviour.Serves;
        Boot();
    }

    private SimulatedInstance(World world, SimulatedHost host, ReleaseId release, SlotSettings slot, bool isBooted)
        => (this.world, this.host, Release, Slot, this.isBooted) = (world, host, release, slot, isBooted);

    public ReleaseId Release { get; }

    public SlotSettings Slot { get; }

    public bool Stopping { get; private set; }

    public bool Retiring => retirement is not null;

    /// <summary>It answers requests.</summary>
    public bool IsUp => isBooted && !isDown && !Stopping && behaviour == Behaviour.Serves;

    /// <summary>Its agent's health check passes.</summary>
    public bool LooksHealthy => isBooted && !isDown && !Stopping && behaviour is Behaviour.Serves or Behaviour.Lies;

    /// <summary>Its process is there: what a second release would run beside.</summary>
    public bool IsAlive => !isDown;

    public static SimulatedInstance Serving(World world, SimulatedHost host, ReleaseId release, SlotSettings slot) => new(world, host, release, slot, isBooted: true);

    /// <summary>Its process ends by itself; its agent starts it again, unless nobody would miss it.</summary>
    public void Die()
    {
        world.Log($"{host.Name}/{Slot.Name}: {Release.Version} dies");
        isDown = true;
        if (Retiring)
        {
            Remove();
            return;
        }

        world.Time.In(world.Between(500, 5_000), () =>
        {
            if (!isDown || !IsThere) return;
            (isDown, isBooted) = (false, false);
            Boot();
        });
    }

    /// <summary>Stops taking requests at once, and is gone some time later.</summary>
    public void Stop(Action gone)
    {
        Stopping = true;
        host.Wanted.Remove(Slot.Name);
        retirement = null;
        world.Time.In(world.Between(100, 3_000), () =>
        {
            Remove();
            gone();
        });
    }

    /// <summary>Is kept without traffic for a while.</summary>
    public void Retire(TimeSpan keep)
    {
        var mine = retirement = new object();
        host.Wanted.Remove(Slot.Name);
        world.Time.In(keep, () =>
        {
            if (retirement != mine || !IsThere) return;
            world.Log($"{host.Name}/{Slot.Name}: {Release.Version} was kept long enough and stops");
            world.Rules.Stops(host, this, "the end of its retirement");
            Stop(() => { });
        });
    }

    public void Keep()
    {
        retirement = null;
        host.Wanted[Slot.Name] = (Release, Slot);
    }

    public void Heal()
    {
        if (world.Bad.ContainsKey(Release)) return;
        behaviour = Behaviour.Serves;
        if (Stopping || (isBooted && !isDown)) return;
        isDown = false;
        Boot();
    }

    private bool IsThere => host.Instances.GetValueOrDefault(Slot.Name) == this;

    private void Boot() => world.Time.In(world.Between(200, 2_000), () =>
    {
        if (isDown || Stopping || !IsThere || isBooted) return;
        isBooted = true;
        if (behaviour == Behaviour.Dies) Die();
    });

    private void Remove()
    {
        if (IsThere) host.Instances.Remove(Slot.Name);
    }
}
