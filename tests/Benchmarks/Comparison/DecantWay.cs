using Decant.EndToEnd.Harness;

namespace Decant.Benchmarks.Comparison;

/// <summary>Decant, rolling, behind HAProxy.</summary>
/// <param name="Name">In the table.</param>
/// <param name="TwoSlots">Switch instead of replace.</param>
internal sealed record DecantWay(string Name, bool TwoSlots) : Way(Name)
{
    public override async Task ServeAsync(ComparedFleet fleet, string archive, CancellationToken cancellation)
    {
        var members = TwoSlots
            ? fleet.Hosts.SelectMany(h => new[] { ($"{h.Name}-blue", h.Port), ($"{h.Name}-green", h.SecondPort) })
            : fleet.Hosts.Select(h => (h.Name, h.Port));
        await fleet.StartHaproxyAsync(members, cancellation);
        var edge = new TestHost("lb", fleet.Directory, fleet.NextPort(), 0, fleet.Epmd, $$"""
            balancers:
              edge: { kind: haproxy, socket: {{fleet.Socket}} }
            """);
        foreach (var host in fleet.Hosts)
            await fleet.StartAgentAsync(new TestHost(host.Name, fleet.Directory, host.AgentPort, host.Port, fleet.Epmd, ""), cancellation);
        await fleet.StartAgentAsync(edge, cancellation);
        // The app is given traffic as soon as it is healthy, as by the others.
        await File.WriteAllTextAsync(Path.Combine(fleet.Directory, "decant.yml"), $$"""
            app: demo
            hosts:
            {{string.Join('\n', fleet.Hosts.Select(h => $"  {h.Name}: {{ agent: http://127.0.0.1:{h.AgentPort}, {SlotsOf(h)} }}"))}}
            balancers:
              edge: { agent: http://127.0.0.1:{{edge.AgentPort}}, backend: demo }
            slot:
              env: { DEMO_DB: {{fleet.Database}}, DEMO_WARMUP_MS: 200 }
            health:
              http: { path: /health }
              interval: 200ms
            migrations:
              run: Demo.Release.migrate()
            strategy:
              min_healthy: 0s
            """, cancellation);
        var first = await TimedRun.RunAsync(Deploy(fleet, archive), cancellation);
        if (first.ExitCode != 0) throw new TestException($"decant deploy {archive}: exit code {first.ExitCode}\n{first.Output}");
    }

    public override DeployCommand Deploy(ComparedFleet fleet, string archive) => new(
        Programs.Decant,
        ["deploy", archive, "--json"],
        new Dictionary<string, string> { ["DECANT_STATE_DIR"] = Path.Combine(fleet.Directory, "controller"), ["NO_COLOR"] = "1" },
        fleet.Directory);

    public override bool BeginsCutover(string line) => Has(line, "step_started") && line.Contains("\"verb\":\"drain\"", StringComparison.Ordinal);

    public override bool EndsCutover(string line) => Has(line, "host_done");

    public override TimeSpan Own(OwnTimes app) => ComparedFleet.Count * (TwoSlots ? app.Boot : app.Stop + app.Boot);

    private static bool Has(string line, string name) => line.StartsWith($"{{\"event\":\"{name}\"", StringComparison.Ordinal);

    private string SlotsOf(ComparedHost host) => TwoSlots
        ? $"slots: {{ blue: {{ {SlotOf(host, host.Port)} }}, green: {{ {SlotOf(host, host.SecondPort)} }} }}"
        : SlotOf(host, host.Port);

    private static string SlotOf(ComparedHost host, int port) => $"port: {port}, node: demo-{host.Name}-{port}@127.0.0.1";
}
