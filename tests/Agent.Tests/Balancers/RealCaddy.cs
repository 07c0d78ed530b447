using System.Diagnostics;
using System.Text;
using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Tests.Balancers;

/// <summary>Debian's Caddy, with everything that it has in a directory of the test's own.</summary>
internal sealed class RealCaddy : IRealBalancer
{
    private readonly TemporaryDirectory directory = new();
    private readonly HttpClient client;
    private readonly HttpClient admin;
    private Process? caddy;

    private RealCaddy()
    {
        client = UnixFront.Client(directory["front.sock"], keepAlive: false);
        admin = UnixFront.Client(Socket, keepAlive: false);
    }

    public string Socket => directory["admin.sock"];

    public static async Task<RealCaddy> StartAsync(IEnumerable<TestMember> members, string policy = "round_robin")
    {
        var caddy = new RealCaddy();
        await File.WriteAllTextAsync(caddy.directory["caddy.json"], $$"""
            {
              "admin": { "listen": "unix/{{caddy.Socket}}", "origins": ["", "127.0.0.1"] },
              "apps": { "http": { "servers": { "web": {
                "listen": ["unix/{{caddy.directory["front.sock"]}}"],
                "automatic_https": { "disable": true },
                "routes": [{ "handle": [{
                  "@id": "shop",
                  "handler": "reverse_proxy",
                  "load_balancing": { "selection_policy": { "policy": "{{policy}}" } },
                  "upstreams": [{{string.Join(", ", members.Select(m => $$"""{ "@id": "shop/{{m.Name}}", "dial": "127.0.0.1:{{m.Port}}" }"""))}}]
                }, { "handler": "static_response", "@id": "other" }] }]
              } } } }
            }
            """);
        await caddy.RunAsync();
        return caddy;
    }

    /// <summary>Starts it (again), by the configuration that it has saved when there is one.</summary>
    public async Task RunAsync(bool resume = false)
    {
        File.Delete(Socket);
        File.Delete(directory["front.sock"]);
        caddy = Run("run", "--config", directory["caddy.json"], resume ? "--resume" : "--environ");
        await Eventually.TrueAsync(async () => await IsAnsweringAsync(), "Caddy's admin API");
    }

    public CaddyBalancer Balancer() => new(
        BalancerName.Parse("front"), new BalancerSettings.Caddy(new Uri("http://127.0.0.1"), Socket), new TableTimings(), TimeProvider.System);

    public IBalancer Open() => Balancer();

    public Task<string> GetAsync(string path) => client.GetStringAsync(path);

    /// <summary>What its configuration has at a path.</summary>
    public Task<string> ReadAsync(string path) => admin.GetStringAsync(path);

    /// <summary>What somebody else does to the configuration.</summary>
    public async Task PatchAsync(string path, string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        (await admin.PatchAsync(path, content)).EnsureSuccessStatusCode();
    }

    public async Task ReloadAsync()
    {
        using var reload = Run("reload", "--config", directory["caddy.json"], "--address", $"unix/{Socket}", "--force");
        await reload.WaitForExitAsync();
        Assert.That(reload.ExitCode, Is.Zero);
    }

    public async Task KillAsync()
    {
        if (caddy is null) return;
        caddy.Kill();
        await caddy.WaitForExitAsync();
        caddy.Dispose();
        caddy = null;
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        admin.Dispose();
        await KillAsync();
        directory.Dispose();
    }

    private Process Run(params string[] arguments)
    {
        var start = new ProcessStartInfo("/usr/bin/caddy", arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["XDG_DATA_HOME"] = directory["data"];
        start.Environment["XDG_CONFIG_HOME"] = directory["config"];
        var process = Process.Start(start)!;
        process.ErrorDataReceived += (_, _) => { };
        process.OutputDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        return process;
    }

    private async Task<bool> IsAnsweringAsync()
    {
        try
        {
            await ReadAsync("/config/");
            return true;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
