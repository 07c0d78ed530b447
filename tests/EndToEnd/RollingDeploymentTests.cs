using Decant.EndToEnd.Harness;
using Decant.Load;

namespace Decant.EndToEnd;

/// <summary>The main job: a release rolls across three hosts behind HAProxy while requests of every kind flow, and none of them fails.</summary>
public class RollingDeploymentTests
{
    private TestFleet fleet = null!;
    private CommandResult first = null!;

    [OneTimeSetUp]
    public async Task DeployTheFirstRelease()
    {
        fleet = await TestFleet.StartAsync(3, CancellationToken.None);
        var archive = await DemoRelease.BuildAsync("1.0.0", fleet.Directory, CancellationToken.None);
        first = await fleet.DecantAsync(CancellationToken.None, "deploy", archive, "--json");
    }

    [OneTimeTearDown]
    public async Task TakeDown() => await fleet.DisposeAsync();

    [Test]
    public void A_first_release_goes_to_empty_hosts_the_same_way_as_any_other()
    {
        Assert.That(first.ExitCode, Is.Zero, first.Everything);
        var events = DeploymentEvents.In(first.Output);
        Assert.Multiple(() =>
        {
            Assert.That(events.Waves, Is.EqualTo(new[] { new[] { "web1" }, ["web2"], ["web3"] }));
            Assert.That(events.Steps.Where(s => s.StartsWith("migrate", StringComparison.Ordinal)), Is.EqualTo(new[] { "migrate web1" }));
            Assert.That(events.Steps.Where(s => s.EndsWith("web3", StringComparison.Ordinal)), Is.EqualTo(new[]
            {
                "stage web3", "preflight web3", "drain web3", "start web3", "await-healthy web3", "undrain web3", "prune web3",
            }));
        });
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task A_release_with_a_slow_migration_replaces_another_under_load_and_no_request_fails(CancellationToken cancellation)
    {
        await fleet.ServesAsync("1.0.0", cancellation);
        var archive = await DemoRelease.BuildAsync("2.0.0", fleet.Directory, cancellation, "--migrations", "4", "--misbehave", "slow_migration");

        RunningProgram deployment = null!;
        var exitCode = -1;
        var report = await fleet.UnderLoadAsync(
            async load =>
            {
                deployment = fleet.StartDecant("deploy", archive, "--json");
                await deployment.WaitForLineAsync("\"output\":\"migrating to 2.0.0", cancellation);
                load.Mark("migration");
                await deployment.WaitForLineAsync("\"output\":\"migrated\"", cancellation);
                load.Mark("waves");
                exitCode = await deployment.WaitForExitAsync(cancellation);
                load.Mark("after");
            },
            cancellation,
            slow: TimeSpan.FromSeconds(3),
            rate: 250);
        await using var _ = deployment;
        Assert.That(exitCode, Is.Zero, deployment.Output);
        var events = DeploymentEvents.In(deployment.Output);

        Assert.Multiple(() =>
        {
            Assert.That(report.Failed, Is.Zero, $"{report}\n{deployment.Output}");
            foreach (var traffic in Enum.GetValues<Traffic>().Except([Traffic.Websocket]))
                Assert.That(report.In("waves").Count(s => s.Traffic == traffic), Is.Positive, $"{traffic} was there");
            Assert.That(report.In("migration").Count(), Is.GreaterThan(100), "it is answered while the migration runs");
            Assert.That(report.VersionsIn("before").Union(report.VersionsIn("migration")), Is.EqualTo(new[] { "1.0.0" }));
            Assert.That(AnsweredBefore(report, "waves"), Is.EqualTo(new[] { "1.0.0" }), "only the old release answers until the migration is over");
            Assert.That(report.VersionsIn("after"), Is.EqualTo(new[] { "2.0.0" }), "only the new release answers afterwards");
        });
        Assert.Multiple(() =>
        {
            Assert.That(
                events.IndexOf("step_ended", "migrate"),
                Is.LessThan(events.IndexOf("step_started", "drain")).And.LessThan(events.IndexOf("step_started", "stop")),
                "the migration is over before an old instance is touched");
            Assert.That(events.Steps.Count(s => s.StartsWith("migrate", StringComparison.Ordinal)), Is.EqualTo(1));
            Assert.That(fleet.MigrationRunsAsync("2.0.0", cancellation).Result, Is.EqualTo(1), "by the database's own record");
            Assert.That(fleet.VersionsAsync(cancellation).Result, Is.EqualTo(new[] { "2.0.0", "2.0.0", "2.0.0" }));
        });
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task A_rollback_under_load_takes_every_host_back_and_no_request_fails(CancellationToken cancellation)
    {
        await fleet.ServesAsync("1.0.0", cancellation);
        await fleet.ServesAsync("1.1.0", cancellation);

        CommandResult rollback = null!;
        var report = await fleet.UnderLoadAsync(async _ => rollback = await fleet.DecantAsync(cancellation, "rollback"), cancellation);

        Assert.That(rollback.ExitCode, Is.Zero, rollback.Everything);
        Assert.That(report.Failed, Is.Zero, $"{report}\n{rollback.Everything}");
        Assert.That(await fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { "1.0.0", "1.0.0", "1.0.0" }));
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task Two_hosts_of_a_batch_go_together_while_the_third_carries_the_load_and_no_request_fails(CancellationToken cancellation)
    {
        await fleet.ServesAsync("1.0.0", cancellation);
        fleet.WriteManifest("batch: 2");
        var archive = await DemoRelease.BuildAsync("1.2.0", fleet.Directory, cancellation);

        CommandResult deployment = null!;
        var report = await fleet.UnderLoadAsync(
            async _ => deployment = await fleet.DecantAsync(cancellation, "deploy", archive, "--json"), cancellation);

        Assert.That(deployment.ExitCode, Is.Zero, deployment.Everything);
        Assert.That(report.Failed, Is.Zero, $"{report}\n{deployment.Everything}");
        var events = DeploymentEvents.In(deployment.Output);
        Assert.Multiple(() =>
        {
            Assert.That(events.Waves, Is.EqualTo(new[] { new[] { "web1", "web2" }, ["web3"] }));
            Assert.That(events.IndexOf("step_started", "drain", "web2"), Is.LessThan(events.IndexOf("step_started", "stop", "web1")), "together");
            Assert.That(
                events.IndexOf("step_started", "drain", "web3"),
                Is.GreaterThan(events.IndexOf("host_done", host: "web1")).And.GreaterThan(events.IndexOf("host_done", host: "web2")));
        });
    }

    [TestCase("50%", 3)]
    [TestCase("67%", 2)]
    [CancelAfter(60_000)]
    public async Task A_batch_may_be_a_share_of_the_hosts_rounded_down(string batch, int waves, CancellationToken cancellation)
    {
        fleet.WriteManifest($"batch: {batch}");
        var archive = await DemoRelease.BuildAsync("1.3.0", fleet.Directory, cancellation);

        var plan = await fleet.DecantAsync(cancellation, "plan", archive);

        Assert.That(plan.ExitCode, Is.Zero, plan.Everything);
        Assert.That(plan.Output, Does.Contain($"3 of 3 hosts in {waves} waves"));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Deploying_what_runs_already_touches_nothing_and_says_so(CancellationToken cancellation)
    {
        await fleet.ServesAsync("1.0.0", cancellation);
        var archive = await DemoRelease.BuildAsync("1.0.0", fleet.Directory, cancellation);
        var history = await fleet.DecantAsync(cancellation, "history", "--json");

        var again = await fleet.DecantAsync(cancellation, "deploy", archive);

        Assert.Multiple(() =>
        {
            Assert.That(again.ExitCode, Is.Zero, again.Everything);
            Assert.That(again.Output, Does.Contain("demo 1.0.0 runs on every host already: nothing to do"));
            Assert.That(fleet.DecantAsync(cancellation, "history", "--json").Result.Output, Is.EqualTo(history.Output), "no deployment is recorded");
        });
    }

    /// <summary>Versions whose answers had come when a phase began.</summary>
    private static HashSet<string> AnsweredBefore(LoadReport report, string phase)
    {
        var begin = report.Marks.Single(m => m.Name == phase).At;
        return report.Samples.Where(s => s.At + s.Latency < begin).Select(s => s.Version).ToHashSet();
    }
}
