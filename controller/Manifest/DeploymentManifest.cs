using Decant.Controller.Fleet;
using Decant.Names;

namespace Decant.Controller.Manifest;

/// <summary><c>decant.yml</c>, read and valid: the app, its hosts, balancers, health, migrations and strategy.</summary>
/// <param name="App">The app.</param>
/// <param name="Hosts">In the order of the file, which is the order in which they are cut over; at least one.</param>
/// <param name="Balancers">What sends traffic to the hosts; every one is drained before an instance is stopped. May be empty.</param>
/// <param name="Health">How an instance is found healthy.</param>
/// <param name="Migrations">What is run once from the new release while the old one serves; null: nothing.</param>
/// <param name="Strategy">Waves and their deadlines.</param>
/// <param name="KeepReleases">How many releases stay on each host, at least 2.</param>
public sealed record DeploymentManifest(
    AppName App,
    IReadOnlyList<ManifestHost> Hosts,
    IReadOnlyList<ManifestBalancer> Balancers,
    HealthPolicy Health,
    MigrationPolicy? Migrations,
    RollingStrategy Strategy,
    int KeepReleases);

/// <summary>A host that runs the app.</summary>
/// <param name="Name">Its name in the manifest.</param>
/// <param name="Agent">Where its agent listens.</param>
/// <param name="Slot">How the app runs there: the manifest's defaults with the host's own values over them.</param>
public sealed record ManifestHost(HostName Name, AgentAddress Agent, SlotSettings Slot);

/// <summary>How one instance runs in its slot.</summary>
/// <param name="Name">The slot, <c>main</c> unless said otherwise.</param>
/// <param name="Port">TCP port that the app serves on.</param>
/// <param name="Node">Erlang node name with host; empty for the agent's default <c>app-slot@127.0.0.1</c>.</param>
/// <param name="Environment">Environment variables; never secrets, which belong into the host's own env file.</param>
/// <param name="Distribution">False: run without Erlang distribution.</param>
public sealed record SlotSettings(
    SlotName Name, int Port, string Node, IReadOnlyDictionary<string, string> Environment, bool Distribution);

/// <summary>A backend that has the hosts' instances as members.</summary>
/// <param name="Key">Its name in the manifest.</param>
/// <param name="Agent">The agent of the host that the balancer lives on.</param>
/// <param name="Balancer">Its name in that agent's agent.yml.</param>
/// <param name="Backend">The backend's name in the balancer's configuration.</param>
/// <param name="MemberTemplate">Name of a host's member in it; <c>{host}</c> stands for the host's name.</param>
public sealed record ManifestBalancer(HostName Key, AgentAddress Agent, BalancerName Balancer, MemberName Backend, string MemberTemplate)
{
    /// <summary>The name of a host's member.</summary>
    public MemberName MemberOf(HostName host) => MemberName.Parse(MemberTemplate.Replace("{host}", host.Value, StringComparison.Ordinal));
}

/// <summary>How an instance is found healthy.</summary>
/// <param name="Check">What is asked.</param>
/// <param name="Interval">Between two checks of a healthy instance.</param>
/// <param name="StartInterval">Between two checks until it is healthy for the first time.</param>
/// <param name="Timeout">Deadline of one check.</param>
/// <param name="Rise">Consecutive successes that make it healthy, at least 1.</param>
/// <param name="Fall">Consecutive failures that make it unhealthy, at least 1.</param>
public sealed record HealthPolicy(HealthProbe Check, TimeSpan Interval, TimeSpan StartInterval, TimeSpan Timeout, int Rise, int Fall);

/// <summary>What a health check asks.</summary>
public abstract record HealthProbe
{
    private HealthProbe()
    {
    }

    /// <summary>GET a path on the slot's port.</summary>
    /// <param name="Path">Begins with '/'.</param>
    /// <param name="Status">Expected status; 0 for any 2xx.</param>
    /// <param name="BodyContains">Text that the body must have; empty for none.</param>
    /// <param name="HostHeader">Host header; empty for 127.0.0.1:port.</param>
    public sealed record Http(string Path, int Status, string BodyContains, string HostHeader) : HealthProbe;

    /// <summary>Connect to the slot's port.</summary>
    public sealed record Tcp : HealthProbe;

    /// <summary>Evaluate an Elixir expression in the running node.</summary>
    /// <param name="Expression">Healthy when it does not raise.</param>
    public sealed record Rpc(string Expression) : HealthProbe;
}

/// <summary>What is run once from the new release, before any instance is touched.</summary>
/// <param name="Expression">Elixir expression for <c>bin/app eval</c>.</param>
/// <param name="Host">The host that runs it: the first one unless the manifest names another.</param>
/// <param name="Timeout">Deadline.</param>
public sealed record MigrationPolicy(string Expression, HostName Host, TimeSpan Timeout);

/// <summary>Rolling: the hosts one batch after the other, each drained, replaced, checked and put back.</summary>
/// <param name="Batch">How many hosts make a wave.</param>
/// <param name="MinHealthy">How long a new instance must stay healthy before it gets traffic.</param>
/// <param name="HealthyDeadline">Until it must be healthy for the first time.</param>
/// <param name="DrainTimeout">How long requests in flight may take to finish.</param>
/// <param name="StopTimeout">How long the release may take to stop by itself before SIGTERM.</param>
/// <param name="TermTimeout">How long after SIGTERM before SIGKILL.</param>
/// <param name="UndrainTimeout">How long a balancer may take to call a member up.</param>
/// <param name="FailureBudget">Hosts that may fail without stopping the deployment, 0 or more.</param>
/// <param name="AutoRollback">Roll back what was changed when the budget is spent.</param>
public sealed record RollingStrategy(
    BatchSize Batch,
    TimeSpan MinHealthy,
    TimeSpan HealthyDeadline,
    TimeSpan DrainTimeout,
    TimeSpan StopTimeout,
    TimeSpan TermTimeout,
    TimeSpan UndrainTimeout,
    int FailureBudget,
    bool AutoRollback);

/// <summary>How many hosts make a wave.</summary>
public abstract record BatchSize
{
    private BatchSize()
    {
    }

    /// <summary>A number of hosts, at least 1.</summary>
    public sealed record Count(int Hosts) : BatchSize;

    /// <summary>A share of the hosts, 1 to 100; rounded down, but at least one host.</summary>
    public sealed record Percent(int Share) : BatchSize;
}
