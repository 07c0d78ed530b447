namespace Decant.EndToEnd.Harness;

/// <summary>Kinds of balancers that a test fleet can have in front of it.</summary>
public enum FrontKind
{
    /// <summary>Debian's HAProxy, with a server for each slot in its configuration.</summary>
    Haproxy,

    /// <summary>Debian's nginx, with an upstream file that the agent keeps.</summary>
    Nginx,

    /// <summary>Debian's Caddy, driven through its admin API.</summary>
    Caddy,

    /// <summary><c>decantd proxy</c>.</summary>
    Embedded,
}

/// <summary>A balancer in front of a test fleet, with one backend, <c>demo</c>.</summary>
internal abstract class Front : IAsyncDisposable
{
    /// <summary>Where clients reach it.</summary>
    public abstract Uri Url { get; }

    /// <summary>What agent.yml of its host says, before it runs.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="directory">The fleet's.</param>
    public static string AgentConfiguration(FrontKind kind, string directory) => kind switch
    {
        FrontKind.Haproxy => $"balancers: {{ edge: {{ kind: haproxy, socket: {Haproxy.SocketIn(directory)} }} }}",
        FrontKind.Nginx => $"balancers: {{ edge: {{ kind: nginx, config: {directory}/nginx.conf, upstreams: {directory}/upstreams, pid: {directory}/nginx.pid }} }}",
        FrontKind.Caddy => $"balancers: {{ edge: {{ kind: caddy, admin: {directory}/caddy.sock }} }}",
        _ => $"proxy: {{ socket: {directory}/proxy.sock, backends: {{ demo: {{ check: /health, check_every: 200ms }} }} }}",
    };

    /// <summary>Its name in that agent.yml.</summary>
    public static string BalancerName(FrontKind kind) => kind == FrontKind.Embedded ? "proxy" : "edge";

    /// <summary>Starts it.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="host">The host that it lives on.</param>
    /// <param name="directory">The fleet's.</param>
    /// <param name="port">Where clients will reach it.</param>
    /// <param name="members">Servers of a configuration that has them from the beginning.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<Front> StartAsync(
        FrontKind kind, TestHost host, string directory, int port, IEnumerable<(string Name, string Address)> members, CancellationToken cancellation) => kind switch
        {
            FrontKind.Haproxy => await Haproxy.StartAsync(directory, host.Place, port, members, cancellation),
            FrontKind.Nginx => await Nginx.StartAsync(directory, port, cancellation),
            FrontKind.Caddy => await Caddy.StartAsync(directory, port, cancellation),
            _ => await ProxyProcess.StartAsync(host.ConfigurationFile, port, cancellation),
        };

    public abstract ValueTask DisposeAsync();
}
