using System.Net;
using Decant.Names;

namespace Decant.Agent.Configuration;

/// <summary>The embedded proxy of this host (<c>decantd proxy</c>), with the defaults of everything that agent.yml leaves out.</summary>
internal sealed record ProxySettings
{
    /// <summary>The balancer that stands for it at the agent, and in manifests that name none.</summary>
    public const string BalancerName = "proxy";

    /// <summary>Where the agent drives it unless agent.yml says otherwise.</summary>
    public const string DefaultSocket = "/run/decant/proxy.sock";

    /// <summary>Where clients reach it; not used when the service manager passes sockets (sd_listen_fds(3)). At least one.</summary>
    public IReadOnlyList<IPEndPoint> Listen { get; init; } = [new(IPAddress.Any, 8080)];

    /// <summary>Absolute path of its unix socket for the agent, mode 0600.</summary>
    public string Socket { get; init; } = DefaultSocket;

    /// <summary>How long a request is held while no member of its backend is up, before it is answered with 503.</summary>
    public TimeSpan Hold { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A request, and a websocket, on which nothing moves in either direction for this long is ended.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long requests in flight have to finish when the proxy is stopped.</summary>
    public TimeSpan StopDeadline { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>X-Forwarded-* that a request brings along are kept, because what is before the proxy is trusted.</summary>
    public bool TrustForwarded { get; init; }

    /// <summary>Its backends; the first gets the requests for hosts that nobody names. None: the first that members are put into.</summary>
    public IReadOnlyList<ProxyBackendSettings> Backends { get; init; } = [];
}

/// <summary>A backend of the embedded proxy.</summary>
/// <param name="Name">An app's name, mostly.</param>
/// <param name="Hosts">Host names, lower case and without port, whose requests it gets.</param>
/// <param name="CheckPath">What its members are asked for again and again, with 200 to 399 being healthy; null: they are up when they accept connections.</param>
/// <param name="CheckEvery">Between two checks of a member that is up.</param>
internal sealed record ProxyBackendSettings(MemberName Name, IReadOnlyList<string> Hosts, string? CheckPath, TimeSpan CheckEvery)
{
    /// <summary>Of <see cref="CheckEvery"/>.</summary>
    public static readonly TimeSpan DefaultCheckEvery = TimeSpan.FromSeconds(1);
}
