namespace Decant.Agent.Health;

/// <summary>How an instance is found healthy.</summary>
/// <param name="Probe">What is asked.</param>
/// <param name="Interval">Between two checks of a healthy instance.</param>
/// <param name="StartInterval">Between two checks until it is healthy for the first time.</param>
/// <param name="Timeout">Deadline of one check.</param>
/// <param name="Rise">Consecutive successes that make it healthy, at least 1.</param>
/// <param name="Fall">Consecutive failures that make it unhealthy, at least 1.</param>
internal sealed record HealthCheck(HealthProbe Probe, TimeSpan Interval, TimeSpan StartInterval, TimeSpan Timeout, int Rise, int Fall);

/// <summary>What a health check asks of an instance.</summary>
internal abstract record HealthProbe
{
    private HealthProbe()
    {
    }

    /// <summary>GET a path on 127.0.0.1 and the slot's port; redirects are not followed.</summary>
    /// <param name="Path">Begins with '/'.</param>
    /// <param name="Status">Expected status; null for any 2xx.</param>
    /// <param name="BodyContains">Text that the first 64 KiB of the body must have; null for none.</param>
    /// <param name="Host">Host header; null for 127.0.0.1:port.</param>
    public sealed record Http(string Path, int? Status, string? BodyContains, string? Host) : HealthProbe;

    /// <summary>Connect to 127.0.0.1 and the slot's port.</summary>
    public sealed record Tcp : HealthProbe;

    /// <summary>Evaluate an Elixir expression in the running node by <c>bin/app rpc</c>; healthy when the script exits with 0.</summary>
    /// <param name="Expression">Raises when not healthy.</param>
    public sealed record Rpc(string Expression) : HealthProbe;
}
