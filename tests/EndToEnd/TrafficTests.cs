using System.Text.Json;
using Decant.EndToEnd.Harness;
using Decant.Load;

namespace Decant.EndToEnd;

/// <summary>Every way to cut a host over, behind every balancer, under every kind of traffic: nothing fails but what the policy says it cuts.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[Parallelizable(ParallelScope.All)]
public class TrafficTests
{
    [TestCase(FrontKind.Haproxy, false)]
    [TestCase(FrontKind.Haproxy, true)]
    [TestCase(FrontKind.Nginx, false)]
    [TestCase(FrontKind.Nginx, true)]
    [TestCase(FrontKind.Caddy, false)]
    [TestCase(FrontKind.Caddy, true)]
    [TestCase(FrontKind.Embedded, false)]
    [TestCase(FrontKind.Embedded, true)]
    [CancelAfter(240_000)]
    public async Task A_deployment_a_canary_after_it_its_abort_and_a_rollback_fail_no_request(FrontKind balancer, bool twoSlots, CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(2, cancellation, balancer, twoSlots);
        // Above how long a slow answer takes: what is cut at the deadline is websockets alone.
        const string Strategy = "drain_timeout: 6s\nlong_lived: { close_after: 0s, spread: 1s }";
        fleet.WriteManifest($"{Strategy}\nbatch: 2");
        await fleet.DeployedAsync("1.0.0", cancellation);
        fleet.WriteManifest(Strategy);
        var second = await DemoRelease.BuildAsync("1.1.0", fleet.Directory, cancellation);
        var third = await DemoRelease.BuildAsync("1.2.0", fleet.Directory, cancellation);

        var told = "";
        var report = await fleet.UnderLoadAsync(
            async load =>
            {
                await DoAsync("deployment", "deploy", second);
                fleet.WriteManifest($"{Strategy}\ntype: canary\ncanary: {{ bake: 1s, promote: manual }}");
                var canary = await DoAsync("canary", "deploy", third, "--json");
                fleet.WriteManifest(Strategy);
                var id = JsonDocument.Parse(canary.Output.Split('\n')[0]).RootElement.GetProperty("deployment").GetString()!;
                await DoAsync("abort", "abort", id);
                await DoAsync("rollback", "rollback");
                load.Mark("after");

                async Task<CommandResult> DoAsync(string phase, params string[] command)
                {
                    load.Mark(phase);
                    var result = await fleet.DecantAsync(cancellation, command);
                    told += result.Everything;
                    Assert.That(result.ExitCode, Is.EqualTo(phase == "canary" ? 7 : 0), $"{phase}\n{result.Everything}\n{fleet.AgentLogs()}");
                    return result;
                }
            },
            cancellation,
            slow: TimeSpan.FromSeconds(5),
            websockets: 4);

        Assert.Multiple(() =>
        {
            Assert.That(report.Failed, Is.Zero, $"{report}\n{told}");
            // nginx and Caddy are reconfigured by a reload, which closes idle connections of clients.
            if (balancer is FrontKind.Haproxy or FrontKind.Embedded) Assert.That(report.Repeated, Is.Zero, $"{report}\n{told}");
            foreach (var traffic in Enum.GetValues<Traffic>())
                Assert.That(report.Samples.Count(s => s.Traffic == traffic), Is.GreaterThan(5), $"{traffic} was there");
            Assert.That(report.VersionsIn("before"), Is.EqualTo(new[] { "1.0.0" }));
            Assert.That(report.VersionsIn("deployment"), Is.SupersetOf(new[] { "1.0.0", "1.1.0" }));
            Assert.That(report.VersionsIn("canary"), Does.Contain("1.2.0"));
            Assert.That(report.VersionsIn("rollback"), Is.SupersetOf(new[] { "1.0.0", "1.1.0" }));
            Assert.That(report.VersionsIn("after"), Is.EqualTo(new[] { "1.0.0" }), $"the canary was no good to go back to\n{told}");
        });
    }
}
