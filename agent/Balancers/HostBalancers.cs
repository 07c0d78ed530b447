using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>The balancers of this host, by the names that agent.yml gives them.</summary>
internal sealed class HostBalancers : IDisposable
{
    private readonly SortedDictionary<string, IBalancer> balancers = new(StringComparer.Ordinal);

    public HostBalancers(AgentConfiguration configuration, AgentCheckDesk desk, TimeProvider time)
    {
        foreach (var (name, settings) in configuration.Balancers)
        {
            balancers[name.Value] = settings switch
            {
                BalancerSettings.Haproxy haproxy => new HaproxyBalancer(name, haproxy, new HaproxyTimings(), time),
                BalancerSettings.AgentCheck => new AgentCheckBalancer(name, desk, new AgentCheckTimings(), time),
                BalancerSettings.Command command => new CommandBalancer(name, command, new CommandTimings(), time),
                BalancerSettings.Nginx nginx => new NginxBalancer(name, nginx, new TableTimings(), time),
                BalancerSettings.Caddy caddy => new CaddyBalancer(name, caddy, new TableTimings(), time),
                BalancerSettings.Embedded embedded => new EmbeddedBalancer(name, embedded, time),
                _ => throw new ArgumentOutOfRangeException(nameof(configuration), settings.GetType().Name, null),
            };
        }
    }

    /// <summary>All, by name.</summary>
    public IReadOnlyCollection<IBalancer> All => balancers.Values;

    /// <summary>One of them.</summary>
    /// <exception cref="Errors.OperatorException">BALANCER_NOT_FOUND.</exception>
    public IBalancer Get(BalancerName name)
        => balancers.TryGetValue(name.Value, out var balancer) ? balancer : throw BalancerErrors.NoSuchBalancer(name, All.Select(b => b.Name));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var balancer in All.OfType<IDisposable>()) balancer.Dispose();
    }
}
