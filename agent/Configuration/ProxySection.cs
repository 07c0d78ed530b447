using System.Net;
using Decant.Names;

namespace Decant.Agent.Configuration;

/// <summary>Reads the part <c>proxy</c> of agent.yml.</summary>
internal static class ProxySection
{
    /// <summary>Reads it.</summary>
    public static ProxySettings Read(YamlSection section)
    {
        var defaults = new ProxySettings();
        var settings = new ProxySettings
        {
            Listen = section.List("listen", defaults.Listen, Address),
            Socket = section.Value("socket", defaults.Socket, Values.SocketPath),
            Hold = section.Value("hold", defaults.Hold, Values.Time(TimeSpan.Zero, TimeSpan.FromMinutes(5))),
            IdleTimeout = section.Value("idle_timeout", defaults.IdleTimeout, Values.Time(TimeSpan.FromSeconds(1), TimeSpan.FromDays(1))),
            StopDeadline = section.Value("stop_deadline", defaults.StopDeadline, Values.Time(TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1))),
            TrustForwarded = section.Value("trust_forwarded", defaults.TrustForwarded, Switch),
            Backends = Backends(section.Section("backends")),
        };
        if (settings.Listen.Count == 0 && section.Has("listen")) section.Wrong("listen", "is empty: clients could not reach the proxy");
        section.RefuseOthers();
        return settings;
    }

    /// <summary>A proxy is a balancer of this host, under its own name.</summary>
    public static AgentConfiguration AddBalancer(AgentConfiguration configuration, YamlSection root)
    {
        if (configuration.Proxy is not { } proxy) return configuration;
        var name = BalancerName.Parse(ProxySettings.BalancerName);
        if (configuration.Balancers.ContainsKey(name))
        {
            root.Wrong("proxy", $"the balancer {name} is the embedded proxy itself: give the one under balancers another name");
            return configuration;
        }

        return configuration with
        {
            Balancers = new Dictionary<BalancerName, BalancerSettings>(configuration.Balancers) { [name] = new BalancerSettings.Embedded(proxy.Socket) },
        };
    }

    private static List<ProxyBackendSettings> Backends(YamlSection section)
    {
        var backends = new List<ProxyBackendSettings>();
        foreach (var key in section.Keys.ToList())
        {
            var one = section.Section(key);
            var hosts = one.List("hosts", [], HostName);
            var path = one.Value<string?>("check", null, CheckPath);
            var every = one.Value("check_every", ProxyBackendSettings.DefaultCheckEvery, Values.Time(TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(10)));
            one.RefuseOthers();
            if (hosts.FirstOrDefault(h => backends.Any(b => b.Hosts.Contains(h))) is { } taken) one.Wrong("hosts", $"{taken} belongs to another backend already");
            if (MemberName.TryParse(key, out var name, out var reason)) backends.Add(new ProxyBackendSettings(name, hosts, path, every));
            else section.Wrong(key, reason);
        }

        section.RefuseOthers();
        return backends;
    }

    /// <summary>Any address: this is what the public connects to.</summary>
    private static Read<IPEndPoint> Address(string text)
    {
        var colon = text.LastIndexOf(':');
        var host = colon < 0 ? "" : text[..colon];
        return host is "localhost" ? Address($"127.0.0.1{text[colon..]}")
            : colon >= 0 && IPEndPoint.TryParse(text, out var address) && address.Port > 0
                && ((host is ['[', .., ']']) == (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6)) ? address
            : Read<IPEndPoint>.Not($"\"{text}\" is not address:port, for example 0.0.0.0:80 or [::]:80");
    }

    private static Read<string> HostName(string text) => Values.Host(text.ToLowerInvariant());

    private static Read<string?> CheckPath(string text)
        => text is ['/', ..] && text.All(c => c is > ' ' and < '\x7f')
            ? new Read<string?>(text, null)
            : Read<string?>.Not($"\"{text}\" is not a path, for example /health");

    private static Read<bool> Switch(string text) => text switch
    {
        "true" or "yes" or "on" => true,
        "false" or "no" or "off" => false,
        _ => Read<bool>.Not($"\"{text}\" is neither true nor false"),
    };
}
