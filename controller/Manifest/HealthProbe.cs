namespace Decant.Controller.Manifest;

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
