using System.Globalization;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Tests.Simulation;

/// <summary>
/// Servers with agents, instances and balancers, as values in virtual time: everything that is true, whoever knows of it. What goes wrong is
/// drawn from one seeded source, so a seed tells the whole story.
/// </summary>
internal sealed class World
{
    private readonly Dictionary<AgentAddress, SimulatedAgent> agents = [];
    private readonly Dictionary<HostName, SimulatedHost> hosts;
    private readonly Dictionary<BalancerSeat, SimulatedBalancer> balancers;
    private readonly Dictionary<HostName, SimulatedBalancer[]> balancersOf;
    private readonly List<string>? trace;

    /// <param name="manifest">Its hosts and balancers.</param>
    /// <param name="random">Everything that is left to chance.</param>
    /// <param name="isTraced">Whether what happens is written down.</param>
    public World(DeploymentManifest manifest, Random random, bool isTraced)
    {
        (Manifest, Random, trace) = (manifest, random, isTraced ? [] : null);
        hosts = manifest.Hosts.ToDictionary(h => h.Name, h => new SimulatedHost(this, h));
        balancers = (from b in manifest.Balancers from h in manifest.Hosts select (Seat: BalancerSeat.Of(b, h.Name), Balancer: b, Host: h))
            .GroupBy(s => s.Seat)
            .ToDictionary(g => g.Key, g => new SimulatedBalancer(this, g.Key, g.First().Balancer, [.. g.Select(s => s.Host)], isManaged: random.Next(3) == 0));
        balancersOf = manifest.Hosts.ToDictionary(h => h.Name, h => manifest.Balancers.Select(b => Balancer(b, h.Name)).ToArray());
        Rules = new Rules(this);
    }

    public DeploymentManifest Manifest { get; }

    public Random Random { get; }

    public VirtualTime Time { get; } = new();

    public Rules Rules { get; }

    public Weather Weather { get; set; } = Weather.Calm;

    /// <summary>Releases of which every instance fails, and how.</summary>
    public Dictionary<ReleaseId, Behaviour> Bad { get; } = [];

    public IReadOnlyCollection<SimulatedHost> Hosts => hosts.Values;

    public IReadOnlyCollection<SimulatedBalancer> Balancers => balancers.Values;

    public IReadOnlyList<string> Trace => trace ?? [];

    public SimulatedHost Host(HostName name) => hosts[name];

    public SimulatedAgent Agent(AgentAddress address)
    {
        if (!agents.TryGetValue(address, out var agent)) agents[address] = agent = new SimulatedAgent(this, address);
        return agent;
    }

    public SimulatedBalancer Balancer(ManifestBalancer balancer, HostName host) => balancers[BalancerSeat.Of(balancer, host)];

    /// <summary>The balancers that send to a host's instances.</summary>
    public IReadOnlyList<SimulatedBalancer> BalancersOf(HostName host) => balancersOf[host];

    public bool Chance(int thousandths) => thousandths > 0 && Random.Next(1000) < thousandths;

    public TimeSpan Between(int fromMs, int toMs) => TimeSpan.FromMilliseconds(Random.Next(fromMs, toMs + 1));

    public void Log(string what) => trace?.Add(string.Create(CultureInfo.InvariantCulture, $"{Time.Now.TotalSeconds,9:0.000} {what}"));

    public bool IsTraced => trace is not null;

    /// <summary>Hosts of which some instance takes requests at every balancer.</summary>
    public int Served => Manifest.Hosts.Count(h => IsServed(h.Name));

    /// <summary>
    /// At every balancer some instance of the host takes requests: while traffic moves, not the same one at each. Without balancers an agent's word
    /// is all that is known.
    /// </summary>
    public bool IsServed(HostName name)
    {
        // Loops, not queries: this is asked after every event.
        var host = hosts[name];
        if (Manifest.Balancers.Count == 0)
        {
            foreach (var instance in host.Instances.Values)
            {
                if (instance is { LooksHealthy: true, Retiring: false }) return true;
            }

            return false;
        }

        foreach (var balancer in balancersOf[name])
        {
            var isServed = false;
            foreach (var instance in host.Instances.Values) isServed |= instance.IsUp && balancer.MemberOf(name, instance.Slot.Name) is { Ready: true };
            if (!isServed) return false;
        }

        return true;
    }

    /// <summary>Between two events: whatever may break by itself, breaks now and then.</summary>
    public void Blow()
    {
        if (Weather == Weather.Calm) return;
        if (Chance(Weather.KillsAgents)) Pick([.. agents.Values.Where(a => a.IsUp)])?.Crash();
        if (Chance(Weather.Partitions)) Pick([.. agents.Values])?.CutOff(Between(500, 90_000));
        if (Chance(Weather.HangsBalancers)) Pick([.. balancers.Values])?.Hang(Between(500, 60_000));
        if (Chance(Weather.KillsInstances)) Pick([.. hosts.Values.SelectMany(h => h.Instances.Values).Where(i => i.IsUp)])?.Die();
    }

    /// <summary>The storm is over: everybody answers, and what is no bad release serves.</summary>
    public void Heal()
    {
        Log("the storm is over");
        Weather = Weather.Calm;
        foreach (var agent in agents.Values) agent.Heal();
        foreach (var balancer in balancers.Values) balancer.Heal();
        foreach (var instance in hosts.Values.SelectMany(h => h.Instances.Values)) instance.Heal();
    }

    private T? Pick<T>(List<T> from)
        where T : class => from.Count == 0 ? null : from[Random.Next(from.Count)];
}

/// <summary>What an instance does when it is started.</summary>
internal enum Behaviour
{
    /// <summary>Serves after a while.</summary>
    Serves,

    /// <summary>Never answers a health check.</summary>
    Hangs,

    /// <summary>Its process ends, again and again.</summary>
    Dies,

    /// <summary>Its agent finds it healthy, and balancers cannot reach it.</summary>
    Lies,
}
