namespace Decant.EndToEnd.Harness;

/// <summary>
/// A test fleet in network namespaces: the controller, the balancer and each host in one of its own, with a cable from the controller to each agent
/// and another one from the balancer to each host. Clients reach the balancer from the tests' own namespace.
/// </summary>
internal sealed class NetworkFleet : IAsyncDisposable
{
    private readonly Network network;

    private NetworkFleet(Network network, Place controller, TestFleet fleet, IReadOnlyList<Cable> agents, IReadOnlyList<Cable> members, Cable balancerAgent)
        => (this.network, Controller, Fleet, Agents, Members, BalancerAgent) = (network, controller, fleet, agents, members, balancerAgent);

    /// <summary>Where the controller runs.</summary>
    public Place Controller { get; }

    /// <summary>Its agents, balancer and manifest.</summary>
    public TestFleet Fleet { get; }

    /// <summary>From the controller to each host's agent.</summary>
    public IReadOnlyList<Cable> Agents { get; }

    /// <summary>From the balancer to each host's release.</summary>
    public IReadOnlyList<Cable> Members { get; }

    /// <summary>From the controller to the agent beside the balancer.</summary>
    public Cable BalancerAgent { get; }

    /// <summary>Starts the agents and HAProxy; nothing is deployed yet.</summary>
    public static async Task<NetworkFleet> StartAsync(int hosts, CancellationToken cancellation)
    {
        var network = new Network();
        try
        {
            var controller = await network.AddAsync("ctl");
            var balancer = await network.AddAsync("lb");
            var clients = await network.ConnectAsync(balancer, null, $"10.213.{Environment.ProcessId % 250}");
            var balancerAgent = await network.ConnectAsync(controller, balancer, "127.7.200");
            var (agents, members, places) = (new List<Cable>(), new List<Cable>(), new List<Place>());
            for (var number = 1; number <= hosts; number++)
            {
                var space = await network.AddAsync($"web{number}");
                agents.Add(await network.ConnectAsync(controller, space, $"127.7.{number}"));
                members.Add(await network.ConnectAsync(balancer, space, $"127.8.{number}"));
                places.Add(new Place(space, agents[^1].Far.Address, members[^1].Far.Address));
            }

            var layout = new FleetLayout(
                new Place(controller, "", ""), new Place(balancer, balancerAgent.Far.Address, clients.Near.Address), places);
            return new NetworkFleet(network, layout.Controller, await TestFleet.StartAsync(hosts, cancellation, layout: layout), agents, members, balancerAgent);
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Fleet.DisposeAsync();
        await network.DisposeAsync();
    }
}

/// <summary>Where each part of a fleet runs.</summary>
/// <param name="Controller">The controller.</param>
/// <param name="Balancer">The balancer and its agent; clients reach it at the address that is for members.</param>
/// <param name="Hosts">The hosts.</param>
internal sealed record FleetLayout(Place Controller, Place Balancer, IReadOnlyList<Place> Hosts);
