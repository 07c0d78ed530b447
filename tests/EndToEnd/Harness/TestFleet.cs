namespace Decant.EndToEnd.Harness;

/// <summary>Hosts with agents, a balancer in front of them and a manifest, all of the test's own.</summary>
internal sealed class TestFleet : IAsyncDisposable
{
    private readonly FreePorts ports;
    private readonly FrontKind kind;
    private readonly Place controller;
    private Front? front;

    private TestFleet(FrontKind kind, Place controller, string directory, FreePorts ports, IReadOnlyList<TestHost> hosts, TestHost balancerHost, int balancerPort)
    {
        this.kind = kind;
        this.controller = controller;
        Directory = directory;
        this.ports = ports;
        Hosts = hosts;
        BalancerHost = balancerHost;
        BalancerPort = balancerPort;
    }

    public string Directory { get; }

    public IReadOnlyList<TestHost> Hosts { get; }

    public TestHost BalancerHost { get; }

    public int BalancerPort { get; }

    /// <summary>HAProxy, where it is that.</summary>
    public Haproxy Balancer => front as Haproxy ?? throw new InvalidOperationException("HAProxy is not running");

    /// <summary>Where clients reach the balancer.</summary>
    public Uri Url => front?.Url ?? throw new InvalidOperationException("the balancer is not running");

    /// <summary>More environment of the controllers that are started from now on.</summary>
    public IReadOnlyDictionary<string, string> ControllerVariables { get; set; } = new Dictionary<string, string>();

    /// <summary>The controller's journal.</summary>
    public string Journal => Path.Combine(Directory, "controller", "journal.db");

    public string Manifest => Path.Combine(Directory, "decant.yml");

    /// <summary>The demo app's database, which migrations change.</summary>
    public string Database => Path.Combine(Directory, "demo.db");

    /// <summary>Starts the agents and the balancer; nothing is deployed yet.</summary>
    /// <param name="hosts">How many.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="kind">What is in front of them.</param>
    /// <param name="twoSlots">Each host has the slots blue and green instead of one.</param>
    /// <param name="layout">Where each part runs; beside the tests when missing.</param>
    public static async Task<TestFleet> StartAsync(
        int hosts, CancellationToken cancellation, FrontKind kind = FrontKind.Haproxy, bool twoSlots = false, FleetLayout? layout = null)
    {
        var directory = System.IO.Directory.CreateTempSubdirectory("decant-e2e-").FullName;
        var ports = new FreePorts();
        var epmd = ports.Next();
        var web = Enumerable.Range(1, hosts).Select(n => new TestHost(
            $"web{n}", directory, ports.Next(), ports.Next(), epmd, "", secondPort: twoSlots ? ports.Next() : 0, place: layout?.Hosts[n - 1])).ToList();
        var edge = new TestHost("lb", directory, ports.Next(), 0, epmd, Front.AgentConfiguration(kind, directory), place: layout?.Balancer);
        var fleet = new TestFleet(kind, layout?.Controller ?? Place.Here, directory, ports, web, edge, ports.Next());
        var members = twoSlots
            ? web.SelectMany(h => new[] { ($"{h.Name}-blue", MemberAddress(h, h.AppPort)), ($"{h.Name}-green", MemberAddress(h, h.SecondPort)) })
            : web.Select(h => (h.Name, MemberAddress(h, h.AppPort)));
        try
        {
            fleet.front = await Front.StartAsync(kind, edge, directory, fleet.BalancerPort, members, cancellation);
            await Task.WhenAll(web.Append(edge).Select(h => h.StartAgentAsync(cancellation)));
            fleet.WriteManifest();
            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes decant.yml.</summary>
    /// <param name="strategy">Lines of the strategy over the test's quick defaults.</param>
    /// <param name="environment">More environment of the app.</param>
    /// <param name="hosts">How many of the hosts it has; all when missing.</param>
    /// <param name="slots">What it says of a host's slots; those that the fleet was started with when missing.</param>
    public void WriteManifest(string strategy = "", string environment = "", int? hosts = null, Func<TestHost, string>? slots = null)
    {
        var quick = new[] { "min_healthy: 300ms", "healthy_deadline: 30s", "drain_timeout: 20s" }
            .Where(line => !strategy.Contains(line[..(line.IndexOf(':', StringComparison.Ordinal) + 1)], StringComparison.Ordinal));
        var entries = Hosts.Take(hosts ?? Hosts.Count).Select(h => $"  {h.Name}: {{ agent: {h.AgentAddress}, address: {h.Place.Members}, {(slots ?? TwoOrOne)(h)} }}");
        File.WriteAllText(Manifest, $$"""
            app: demo
            hosts:
            {{string.Join('\n', entries)}}
            balancers:
              edge: { agent: {{BalancerHost.AgentAddress}}, balancer: {{Front.BalancerName(kind)}}, backend: demo }
            slot:
              env:
                DEMO_DB: {{Database}}
                DEMO_WARMUP_MS: 200
            {{(controller == Place.Here ? "" : "    BIND: 0.0.0.0")}}
            {{Indent(environment, 4)}}
            health:
              http: { path: /health }
              interval: 200ms
            migrations:
              run: Demo.Release.migrate()
            strategy:
            {{Indent(string.Join('\n', quick), 2)}}
            {{Indent(strategy, 2)}}
            """);
    }

    /// <summary>Runs the controller with this fleet's manifest and journal.</summary>
    public Task<CommandResult> DecantAsync(CancellationToken cancellation, params string[] arguments)
    {
        var (program, all) = controller.Run(Programs.Decant, arguments);
        return CommandResult.RunAsync(program, all, cancellation, ControllerEnvironment, Directory);
    }

    /// <summary>Runs the controller as another machine would: with a journal of its own, and without a sight of this one's processes.</summary>
    public Task<CommandResult> DecantElsewhereAsync(CancellationToken cancellation, params string[] arguments)
        => CommandResult.RunAsync(
            "/usr/bin/unshare",
            ["--pid", "--fork", "--mount-proc", Programs.Decant, .. arguments],
            cancellation,
            new Dictionary<string, string> { ["DECANT_STATE_DIR"] = Path.Combine(Directory, "elsewhere"), ["NO_COLOR"] = "1" },
            Directory);

    /// <summary>
    /// Starts the controller and goes on. Ctrl-C reaches it even where the tests run in the background of a shell that lets its children
    /// ignore it.
    /// </summary>
    public RunningProgram StartDecant(params string[] arguments)
    {
        var (program, all) = controller.Run(Programs.Decant, arguments);
        return RunningProgram.Start("/usr/bin/env", ["--default-signal=INT,TERM", "-C", Directory, program, .. all], ControllerEnvironment);
    }

    /// <summary>Builds a release of the demo app and deploys it, which must succeed.</summary>
    public async Task<CommandResult> DeployedAsync(string version, CancellationToken cancellation, params string[] buildOptions)
    {
        var archive = await DemoRelease.BuildAsync(version, Directory, cancellation, buildOptions);
        var result = await DecantAsync(cancellation, "deploy", archive);
        return result.ExitCode == 0 ? result : throw new TestException($"{result.Everything}\n{AgentLogs()}");
    }

    /// <summary>Sees to it that every host serves the version: where a test begins. Deploys to all at once, and not at all where it runs.</summary>
    public async Task ServesAsync(string version, CancellationToken cancellation)
    {
        WriteManifest($"batch: {Hosts.Count}");
        if ((await VersionsAsync(cancellation)).Any(serving => serving != version)) await DeployedAsync(version, cancellation);
        WriteManifest();
    }

    /// <summary>The version that all hosts serve: where the test before ended, or 1.0.0 when that failed half-way.</summary>
    public async Task<string> GoOnAsync(CancellationToken cancellation)
    {
        var versions = await VersionsAsync(cancellation);
        if (versions.Distinct().Count() > 1 || versions[0].Length == 0) await ServesAsync("1.0.0", cancellation);
        return (await VersionsAsync(cancellation))[0];
    }

    /// <summary>Changes a part of decant.yml that <see cref="WriteManifest"/> has no name for.</summary>
    public void ChangeManifest(string text, string instead)
    {
        var manifest = File.ReadAllText(Manifest);
        if (!manifest.Contains(text, StringComparison.Ordinal)) throw new TestException($"decant.yml has no \"{text}\"");
        File.WriteAllText(Manifest, manifest.Replace(text, instead, StringComparison.Ordinal));
    }

    /// <summary>What each host itself says that it serves, in the manifest's order; empty where it does not answer.</summary>
    public async Task<IReadOnlyList<string>> VersionsAsync(CancellationToken cancellation)
    {
        using var http = new HttpClient();
        return await Task.WhenAll(Hosts.Select(async host =>
        {
            var url = $"http://127.0.0.1:{host.AppPort}/version";
            if (host.Place != Place.Here) return await AskThereAsync(host.Place, url, cancellation);
            try
            {
                return (await http.GetStringAsync(url, cancellation)).Trim();
            }
            catch (HttpRequestException)
            {
                return "";
            }
        }));
    }

    /// <summary>One slot in the manifest; node names tell hosts apart, for they share an epmd.</summary>
    public static string OneSlot(TestHost host, int port) => $"port: {port}, node: demo-{host.Name}-{port}@127.0.0.1";

    /// <summary>Two slots in the manifest.</summary>
    public static string TwoSlots(TestHost host, int blue, int green)
        => $"slots: {{ blue: {{ port: {blue}, node: demo-{host.Name}-{blue}@127.0.0.1 }}, green: {{ port: {green}, node: demo-{host.Name}-{green}@127.0.0.1 }} }}";

    private static string MemberAddress(TestHost host, int port) => $"{host.Place.Members}:{port}";

    private static async Task<string> AskThereAsync(Place place, string url, CancellationToken cancellation)
    {
        var (program, arguments) = place.Run("/usr/bin/curl", ["-sf", "--max-time", "5", url]);
        return (await CommandResult.RunAsync(program, arguments, cancellation)).Output.Trim();
    }

    private static string TwoOrOne(TestHost host)
        => host.SecondPort == 0 ? OneSlot(host, host.AppPort) : TwoSlots(host, host.AppPort, host.SecondPort);

    /// <summary>How often a version's migration was run, by the database's own record.</summary>
    public async Task<int> MigrationRunsAsync(string version, CancellationToken cancellation)
    {
        var result = await CommandResult.RunAsync(
            "/usr/bin/sqlite3", [Database, $"SELECT count(*) FROM migration_runs WHERE by = '{version}'"], cancellation);
        return result.ExitCode == 0
            ? int.Parse(result.Output, System.Globalization.CultureInfo.InvariantCulture)
            : throw new TestException(result.Everything);
    }

    /// <summary>Makes the database as it was before every migration.</summary>
    public async Task ForgetMigrationsAsync(CancellationToken cancellation)
    {
        var result = await CommandResult.RunAsync(
            "/usr/bin/sqlite3",
            [Database, ".timeout 10000", "DELETE FROM migration_runs; DELETE FROM schema_migrations; DROP TABLE IF EXISTS orders"],
            cancellation);
        if (result.ExitCode != 0) throw new TestException(result.Everything);
    }

    /// <summary>What the agents logged, for failure reports.</summary>
    public string AgentLogs() => string.Join('\n', Hosts.Append(BalancerHost).Select(h => $"--- {h.Name}\n{Logged(h)}"));

    public async ValueTask DisposeAsync()
    {
        foreach (var host in Hosts.Append(BalancerHost)) await host.DisposeAsync();
        if (front is not null) await front.DisposeAsync();
        await LeftProcesses.KillAsync(Directory);
        ports.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private Dictionary<string, string> ControllerEnvironment => new(ControllerVariables)
    {
        ["DECANT_STATE_DIR"] = Path.Combine(Directory, "controller"),
        ["NO_COLOR"] = "1",
    };

    private static string Logged(TestHost host)
    {
        try
        {
            return host.Agent.Output;
        }
        catch (InvalidOperationException)
        {
            return "(not running)";
        }
    }

    private static string Indent(string text, int by)
        => string.Join('\n', text.Split('\n').Select(line => line.Length == 0 ? line : new string(' ', by) + line));
}
