namespace Decant.EndToEnd.Harness;

/// <summary>Debian's Caddy in front of a test fleet, as the README sets it up.</summary>
internal sealed class Caddy : Front
{
    /// <summary>
    /// Caddy changes its configuration by opening another listener on the port and closing the old one; Linux resets the connections that
    /// wait in the old one's queue, unless it is told to give them to the new one (ip-sysctl, tcp_migrate_req).
    /// </summary>
    private const string MigrateRequests = "/proc/sys/net/ipv4/tcp_migrate_req";

    private readonly RunningProgram program;

    private Caddy(RunningProgram program, int port) => (this.program, Url) = (program, new Uri($"http://127.0.0.1:{port}"));

    public override Uri Url { get; }

    /// <summary>Starts it with a backend that has no members yet.</summary>
    public static async Task<Caddy> StartAsync(string directory, int port, CancellationToken cancellation)
    {
        if ((await File.ReadAllTextAsync(MigrateRequests, cancellation)).Trim() == "0") await File.WriteAllTextAsync(MigrateRequests, "1", cancellation);
        var configuration = Path.Combine(directory, "caddy.json");
        await File.WriteAllTextAsync(configuration, $$"""
            {
              "admin": { "listen": "unix/{{directory}}/caddy.sock", "origins": ["", "127.0.0.1"] },
              "apps": { "http": { "servers": { "web": {
                "listen": ["127.0.0.1:{{port}}"],
                "automatic_https": { "disable": true },
                "routes": [{ "handle": [{
                  "@id": "demo",
                  "handler": "reverse_proxy",
                  "load_balancing": { "selection_policy": { "policy": "round_robin" } },
                  "upstreams": []
                }] }]
              } } } }
            }
            """, cancellation);
        var environment = new Dictionary<string, string>
        {
            ["XDG_DATA_HOME"] = Path.Combine(directory, "caddy-data"),
            ["XDG_CONFIG_HOME"] = Path.Combine(directory, "caddy-config"),
        };
        var caddy = new Caddy(RunningProgram.Start("/usr/bin/caddy", ["run", "--config", configuration], environment), port);
        await Eventually.TrueAsync(() => Task.FromResult(File.Exists(Path.Combine(directory, "caddy.sock"))), "Caddy's admin socket", cancellation);
        return caddy;
    }

    public override ValueTask DisposeAsync() => program.DisposeAsync();
}
