using System.Collections.Frozen;
using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Proxy;

/// <summary>The proxy's backends, and which of them gets the requests for a host.</summary>
internal sealed class ProxyBackends : IDisposable
{
    private readonly ProxySettings settings;
    private readonly TimeProvider time;
    private readonly FrozenDictionary<string, ProxyBackend> byHost;
    private volatile IReadOnlyList<ProxyBackend> all;

    public ProxyBackends(ProxySettings settings, TimeProvider time)
    {
        (this.settings, this.time) = (settings, time);
        all = [.. settings.Backends.Select(b => new ProxyBackend(b, time))];
        byHost = settings.Backends
            .SelectMany((b, i) => b.Hosts.Select(host => (host, Backend: all[i])))
            .ToFrozenDictionary(b => b.host, b => b.Backend, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>All, in the order of agent.yml.</summary>
    public IReadOnlyList<ProxyBackend> All => all;

    /// <summary>The backend for a host name without port; null when there is no backend at all.</summary>
    public ProxyBackend? Route(string host)
    {
        var known = all;
        return byHost.Count > 0 && byHost.TryGetValue(host, out var named) ? named : known.Count > 0 ? known[0] : null;
    }

    /// <summary>A backend; null when it is not there.</summary>
    public ProxyBackend? Find(MemberName name) => all.FirstOrDefault(b => b.Name == name);

    /// <summary>Whether a backend that is not there yet is made when members are put into it: agent.yml names none, and it is the first.</summary>
    public bool CanMake(MemberName name) => settings.Backends.Count == 0 && (all.Count == 0 || all[0].Name == name);

    /// <summary>A backend, made if it may be.</summary>
    /// <exception cref="ProxyRefusalException">BACKEND_NOT_FOUND.</exception>
    public ProxyBackend Get(MemberName name)
    {
        if (Find(name) is { } found) return found;
        if (!CanMake(name)) throw NotFound(name);
        var made = new ProxyBackend(new ProxyBackendSettings(name, [], CheckPath: null, ProxyBackendSettings.DefaultCheckEvery), time);
        all = [made];
        return made;
    }

    /// <summary>What is said of a backend that is not there and may not be made.</summary>
    public ProxyRefusalException NotFound(MemberName name) => new(
        "BACKEND_NOT_FOUND",
        settings.Backends.Count > 0
            ? $"the proxy has no backend {name}; agent.yml names {string.Join(", ", all.Select(b => b.Name))}"
            : $"the proxy sends everything to {all[0].Name}, and agent.yml does not say which hosts belong to a backend {name}",
        $"name it under proxy.backends in agent.yml, with its hosts, and restart the proxy: backends: {{ {name}: {{ hosts: [{name}.example] }} }}");

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var backend in all) backend.Apply([], new HashSet<MemberName>());
    }
}
