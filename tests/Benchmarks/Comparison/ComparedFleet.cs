using Decant.EndToEnd.Harness;

namespace Decant.Benchmarks.Comparison;

/// <summary>Three "hosts" on loopback behind one balancer, the same for every way of deploying. Nothing runs on them yet.</summary>
internal sealed class ComparedFleet : IAsyncDisposable
{
    private readonly FreePorts ports = new();
    private readonly List<RunningProgram> programs = [];
    private readonly List<TestHost> agents = [];

    public ComparedFleet()
    {
        Directory = System.IO.Directory.CreateTempSubdirectory("decant-comparison-").FullName;
        Epmd = ports.Next();
        BalancerPort = ports.Next();
        Hosts = [.. Enumerable.Range(1, Count).Select(n => new ComparedHost($"web{n}", ports.Next(), ports.Next(), ports.Next()))];
    }

    /// <summary>How many hosts.</summary>
    public const int Count = 3;

    public string Directory { get; }

    public IReadOnlyList<ComparedHost> Hosts { get; }

    public int BalancerPort { get; }

    /// <summary>Where clients reach the balancer.</summary>
    public Uri Url => new($"http://127.0.0.1:{BalancerPort}");

    /// <summary>The port of an epmd of the fleet's own, which ends with it.</summary>
    public int Epmd { get; }

    public string Database => Path.Combine(Directory, "demo.db");

    /// <summary>Where HAProxy's runtime API is.</summary>
    public string Socket => Path.Combine(Directory, "haproxy.sock");

    public HaproxySocket Haproxy => new(Socket);

    public int NextPort() => ports.Next();

    /// <summary>The environment of the app, the same for every way of deploying.</summary>
    public IReadOnlyDictionary<string, string> Environment(string node, int port) => new Dictionary<string, string>
    {
        ["PORT"] = $"{port}",
        ["RELEASE_NODE"] = $"{node}-{port}@127.0.0.1",
        ["RELEASE_DISTRIBUTION"] = "name",
        ["RELEASE_COOKIE"] = "comparison",
        ["ERL_EPMD_PORT"] = $"{Epmd}",
        ["DEMO_DB"] = Database,
        ["DEMO_WARMUP_MS"] = "200",
    };

    /// <summary>Starts a program that ends with the fleet.</summary>
    public RunningProgram Start(string program, params string[] arguments)
    {
        var running = RunningProgram.Start(program, arguments);
        programs.Add(running);
        return running;
    }

    /// <summary>Starts an agent that ends with the fleet.</summary>
    public async Task StartAgentAsync(TestHost host, CancellationToken cancellation)
    {
        agents.Add(host);
        await host.StartAgentAsync(cancellation);
    }

    /// <summary>Starts HAProxy with its backend <c>demo</c>, checked often, so that nothing waits for it needlessly.</summary>
    /// <param name="members">Its servers.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="redispatch">
    /// A connection that is refused goes to another server at once: whoever stops without draining loses less. HAProxy's default is to try the
    /// same server again, a second later.
    /// </param>
    public async Task StartHaproxyAsync(IEnumerable<(string Name, int Port)> members, CancellationToken cancellation, bool redispatch = true)
    {
        var file = Path.Combine(Directory, "haproxy.cfg");
        await File.WriteAllTextAsync(file, $"""
            global
              stats socket {Socket} mode 600 level admin
              maxconn 4000
            defaults
              mode http
              {(redispatch ? "option redispatch 1" : "no option redispatch")}
              timeout connect 2s
              timeout client 60s
              timeout server 60s
              timeout queue 5s
              timeout check 5s
            frontend web
              bind 127.0.0.1:{BalancerPort}
              default_backend demo
            backend demo
              balance roundrobin
              option httpchk GET /health
              default-server check inter 200ms rise 1 fall 2 weight 100
            {string.Join('\n', members.Select(m => $"  server {m.Name} 127.0.0.1:{m.Port}"))}

            """, cancellation);
        Start("/usr/sbin/haproxy", "-W", "-db", "-f", file);
        await Eventually.TrueAsync(() => Task.FromResult(File.Exists(Socket)), "HAProxy's stats socket", cancellation);
    }

    /// <summary>Starts nginx on what is in the file; returns how it is called.</summary>
    public async Task<string> StartNginxAsync(string upstream, CancellationToken cancellation)
    {
        var file = Path.Combine(Directory, "nginx.conf");
        await File.WriteAllTextAsync(file, $$"""
            worker_processes auto; daemon off; pid {{Directory}}/nginx.pid; error_log {{Directory}}/nginx.log error;
            events { worker_connections 4096; }
            http {
              access_log off; client_body_buffer_size 1m;
              keepalive_requests 1000000000;
              include {{upstream}};
              server {
                listen 127.0.0.1:{{BalancerPort}} backlog=4096;
                location / { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_pass http://demo; }
              }
            }
            """, cancellation);
        Start("/usr/sbin/nginx", "-c", file);
        await Eventually.TrueAsync(() => Task.FromResult(File.Exists($"{Directory}/nginx.pid")), "nginx's pid file", cancellation);
        return $"/usr/sbin/nginx -c {file} -e {Directory}/nginx.log";
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var agent in agents) await agent.DisposeAsync();
        foreach (var program in programs)
        {
            // A master that is killed leaves its workers behind.
            await program.SignalAsync("TERM");
            await program.WaitForExitAsync(CancellationToken.None);
            await program.DisposeAsync();
        }

        await LeftProcesses.KillAsync(Directory);
        ports.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}

/// <summary>A host.</summary>
/// <param name="Name">web1, web2, …</param>
/// <param name="Port">Of the app; of the slot blue where there are two.</param>
/// <param name="SecondPort">Of the slot green.</param>
/// <param name="AgentPort">Of the agent, where there is one.</param>
internal sealed record ComparedHost(string Name, int Port, int SecondPort, int AgentPort);
