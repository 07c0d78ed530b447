namespace Decant.EndToEnd.Harness;

/// <summary>
/// A fleet of booted hosts: three with the demo app and one with HAProxy, an agent on each, the controller in a network namespace of its own, and
/// cables between them. Clients reach HAProxy from the tests' own namespace.
/// </summary>
internal sealed class BootedFleet : IAsyncDisposable
{
    private readonly Network network = new();
    private readonly string directory = Directory.CreateTempSubdirectory("decant-e2e-").FullName;
    private readonly List<AgentOnHost> hosts = [];
    private Place controller = Place.Here;
    private AgentOnHost? balancer;

    /// <summary>Those with the app.</summary>
    public IReadOnlyList<AgentOnHost> Hosts => hosts;

    /// <summary>That with HAProxy.</summary>
    public AgentOnHost Balancer => balancer ?? throw new InvalidOperationException("the balancer has not booted");

    /// <summary>Where clients reach HAProxy.</summary>
    public Uri Url { get; private set; } = new("http://127.0.0.1");

    /// <summary>Boots all of it; nothing is deployed yet.</summary>
    public static async Task<BootedFleet> BootAsync(CancellationToken cancellation)
    {
        var fleet = new BootedFleet();
        try
        {
            await fleet.StartAsync(cancellation);
            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    /// <summary>Builds a version of the demo app; its archive.</summary>
    public Task<string> BuildAsync(string version, CancellationToken cancellation) => DemoRelease.BuildAsync(version, directory, cancellation);

    /// <summary>Runs the controller.</summary>
    public Task<CommandResult> DecantAsync(CancellationToken cancellation, params string[] arguments)
    {
        var (program, all) = controller.Run(Programs.Decant, arguments);
        var environment = new Dictionary<string, string> { ["DECANT_STATE_DIR"] = Path.Combine(directory, "controller"), ["NO_COLOR"] = "1" };
        return CommandResult.RunAsync(program, all, cancellation, environment, directory);
    }

    /// <summary>What a host itself says that it serves; empty when it does not answer.</summary>
    public static async Task<string> VersionAsync(AgentOnHost host, CancellationToken cancellation)
        => (await host.Host.RunAsync("exec 3<>/dev/tcp/127.0.0.1/4000 && printf 'GET /version HTTP/1.0\\r\\n\\r\\n' >&3 && sed '1,/^\\r$/d' <&3", cancellation, "/bin/bash")).Output.Trim();

    /// <summary>The journals of all hosts, for failure reports.</summary>
    public async Task<string> JournalsAsync()
        => string.Join('\n', await Task.WhenAll(hosts.Append(Balancer).Select(async host => $"--- {host.Host.Name}\n{await host.Host.JournalAsync()}")));

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(hosts.Select(host => host.DisposeAsync().AsTask()));
        if (balancer is not null) await balancer.DisposeAsync();
        await network.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    private async Task StartAsync(CancellationToken cancellation)
    {
        var (here, edge) = (await network.AddAsync("ctl"), await network.AddAsync("lb"));
        controller = new Place(here, "", "");
        var clients = await network.ConnectAsync(edge, null, $"10.214.{Environment.ProcessId % 250}");
        var edgeAgent = await network.ConnectAsync(here, edge, "127.7.200");
        Url = new Uri($"http://{clients.Near.Address}:8080");
        var entries = new List<string>();
        var members = new List<string>();
        var booting = new List<Task<AgentOnHost>>();
        for (var number = 1; number <= 3; number++)
        {
            var space = await network.AddAsync($"web{number}");
            var agent = await network.ConnectAsync(here, space, $"127.7.{number}");
            var member = await network.ConnectAsync(edge, space, $"127.8.{number}");
            entries.Add($"  web{number}: {{ agent: \"http://{agent.Far.Address}:7420\", address: {member.Far.Address}, port: 4000 }}");
            members.Add($"  server web{number} {member.Far.Address}:4000");
            booting.Add(AgentOnHost.BootAsync($"web{number}", cancellation, $"listen: {{ tcp: \"{agent.Far.Address}:7420\", tls: off }}", space));
        }

        booting.Add(AgentOnHost.BootAsync(
            "lb",
            cancellation,
            $"listen: {{ tcp: \"{edgeAgent.Far.Address}:7420\", tls: off }}\nbalancers: {{ edge: {{ kind: haproxy, socket: /run/haproxy/admin.sock }} }}",
            edge,
            root => HaproxyAsync(root, clients.Near.Address, members, cancellation)));
        try
        {
            await Task.WhenAll(booting);
        }
        finally
        {
            foreach (var booted in booting.Where(b => b.IsCompletedSuccessfully))
            {
                var host = await booted;
                if (host.Host.Name == "lb") balancer = host;
                else hosts.Add(host);
            }
        }

        await File.WriteAllTextAsync(
            Path.Combine(directory, "decant.yml"),
            $$"""
            app: demo
            hosts:
            {{string.Join('\n', entries)}}
            balancers:
              edge: { agent: "http://{{edgeAgent.Far.Address}}:7420", balancer: edge, backend: demo }
            slot:
              env:
                # Relative to the app's own directory, where it may write.
                DEMO_DB: demo.db
                DEMO_WARMUP_MS: 200
                BIND: 0.0.0.0
            health:
              http: { path: /health }
              interval: 200ms
            migrations:
              run: Demo.Release.migrate()
            strategy:
              min_healthy: 300ms
              healthy_deadline: 30s
              drain_timeout: 20s

            """,
            cancellation);
    }

    /// <summary>HAProxy as a host has it: Debian's unit, and its socket for its own group, of which the agent is made a member.</summary>
    private static async Task HaproxyAsync(string root, string address, IEnumerable<string> members, CancellationToken cancellation)
    {
        await File.WriteAllTextAsync(
            Path.Combine(root, "etc/haproxy/haproxy.cfg"),
            $"""
            global
              user haproxy
              group haproxy
              stats socket /run/haproxy/admin.sock mode 660 level admin group haproxy
            defaults
              mode http
              timeout connect 2s
              timeout client 60s
              timeout server 60s
              timeout queue 5s
              timeout check 5s
            frontend web
              bind {address}:8080
              default_backend demo
            backend demo
              balance roundrobin
              option httpchk GET /health
              option redispatch
              default-server check inter 200ms rise 1 fall 2 weight 100
            {string.Join('\n', members)}

            """,
            cancellation);
        var done = await CommandResult.RunAsync(
            "/bin/bash", ["-ec", $"usermod -R {root} -aG haproxy decant; systemctl --root={root} --quiet enable haproxy"], cancellation);
        if (done.ExitCode != 0) throw new TestException(done.Everything);
    }
}
