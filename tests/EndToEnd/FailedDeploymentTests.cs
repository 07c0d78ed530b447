using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>Releases that do not work: whatever they do, the hosts serve the old one in the end, and no request fails.</summary>
public class FailedDeploymentTests
{
    private const int FailedSafely = 3;
    private const int NeedsAttention = 4;
    private const int Refused = 6;

    private static readonly string[] AllOld = ["1.0.0", "1.0.0", "1.0.0"];

    private TestFleet fleet = null!;

    [OneTimeSetUp]
    public async Task StartFleet() => fleet = await TestFleet.StartAsync(3, CancellationToken.None);

    [SetUp]
    public Task ServeTheOldRelease() => fleet.ServesAsync("1.0.0", CancellationToken.None);

    [OneTimeTearDown]
    public async Task TakeDown() => await fleet.DisposeAsync();

    [TestCase("1.0.1", "crash_at_boot", "", "INSTANCE_EXITED", "the configuration key :shop_api_key is missing")]
    [TestCase("1.0.2", "never_healthy", "healthy_deadline: 8s", "NOT_HEALTHY", "was not healthy within 8 s")]
    [TestCase("1.0.3", "crash_after_healthy", "min_healthy: 10s", "INSTANCE_EXITED", "demo crashes after it was healthy, as it was built to: out of widgets")]
    [CancelAfter(120_000)]
    public async Task A_release_that_does_not_run_is_rolled_back_where_it_was_tried_and_tried_nowhere_else(
        string version, string misbehave, string strategy, string reason, string lastLine, CancellationToken cancellation)
    {
        fleet.WriteManifest(strategy);
        var archive = await DemoRelease.BuildAsync(version, fleet.Directory, cancellation, "--misbehave", misbehave);

        var (json, failures) = await DeployUnderLoadAsync(archive, cancellation);
        var shown = await fleet.DecantAsync(cancellation, "show", DeploymentEvents.In(json.Output).Deployment);

        Assert.That(json.ExitCode, Is.EqualTo(FailedSafely), json.Everything);
        var events = DeploymentEvents.In(json.Output);
        var failure = events.Failure;
        Assert.Multiple(() =>
        {
            Assert.That(failures, Is.Empty, json.Everything);
            Assert.That(fleet.VersionsAsync(cancellation).Result, Is.EqualTo(AllOld));
            Assert.That(events.PositionOf("web1"), Is.EqualTo("rolled_back"));
            Assert.That(events.PositionOf("web2"), Is.EqualTo("untouched"));
            Assert.That(events.PositionOf("web3"), Is.EqualTo("untouched"));
            Assert.That(failure.GetProperty("host").GetString(), Is.EqualTo("web1"));
            Assert.That(failure.GetProperty("verb").GetString(), Is.EqualTo("await-healthy").Or.EqualTo("start"));
            Assert.That(failure.GetProperty("error").GetProperty("reason").GetString(), Is.EqualTo(reason));
            Assert.That(failure.GetProperty("error").GetProperty("message").GetString(), Does.Contain(lastLine));
            Assert.That(shown.Output, Does.Contain("rolled back").And.Contain("web1: ").And.Contain(lastLine), shown.Everything);
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task People_are_told_the_host_the_step_the_reason_and_the_releases_own_last_lines(CancellationToken cancellation)
    {
        var archive = await DemoRelease.BuildAsync("1.0.1", fleet.Directory, cancellation, "--misbehave", "crash_at_boot");

        var told = await fleet.DecantAsync(cancellation, "deploy", archive, "--again");

        Assert.That(told.ExitCode, Is.EqualTo(FailedSafely), told.Everything);
        Assert.That(told.Output, Does.Contain("failed: web1: await-healthy: demo/main (1.0.1) ended by itself")
            .And.Contain("demo crashes at boot, as it was built to: the configuration key :shop_api_key is missing")
            .And.Contain("1 host rolled back: every host runs what it ran before")
            .And.Contain("web1: rolled back, runs 1.0.0")
            .And.Contain("web2: untouched, runs 1.0.0"));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_migration_that_fails_stops_the_deployment_before_any_instance_is_touched(CancellationToken cancellation)
    {
        var archive = await DemoRelease.BuildAsync("1.0.4", fleet.Directory, cancellation, "--migrations", "4", "--misbehave", "failing_migration");

        var (json, failures) = await DeployUnderLoadAsync(archive, cancellation);

        Assert.That(json.ExitCode, Is.EqualTo(FailedSafely), json.Everything);
        var events = DeploymentEvents.In(json.Output);
        var failure = events.Failure;
        Assert.Multiple(() =>
        {
            Assert.That(failures, Is.Empty, json.Everything);
            Assert.That(fleet.VersionsAsync(cancellation).Result, Is.EqualTo(AllOld));
            Assert.That(events.Steps.Select(s => s.Split(' ')[0]).Distinct(), Is.EqualTo(new[] { "stage", "preflight", "migrate" }));
            Assert.That(failure.GetProperty("host").GetString(), Is.EqualTo("web1"));
            Assert.That(failure.GetProperty("verb").GetString(), Is.EqualTo("migrate"));
            Assert.That(failure.GetProperty("error").GetProperty("reason").GetString(), Is.EqualTo("MIGRATION_FAILED"));
            Assert.That(failure.GetProperty("error").GetProperty("message").GetString(), Does.Contain("column \"price\" does not exist"));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_release_that_failed_is_remembered_and_wants_again(CancellationToken cancellation)
    {
        fleet.WriteManifest(environment: "DEMO_REQUIRE: DEMO_KEY");
        var archive = await DemoRelease.BuildAsync("1.2.0", fleet.Directory, cancellation);

        var failed = await fleet.DecantAsync(cancellation, "deploy", archive, "--json");
        fleet.WriteManifest("batch: 3", environment: "DEMO_REQUIRE: DEMO_KEY\nDEMO_KEY: abc");
        var refused = await fleet.DecantAsync(cancellation, "deploy", archive);
        var untouched = await fleet.VersionsAsync(cancellation);
        var again = await fleet.DecantAsync(cancellation, "deploy", archive, "--again");

        Assert.Multiple(() =>
        {
            Assert.That(failed.ExitCode, Is.EqualTo(FailedSafely), failed.Everything);
            var events = DeploymentEvents.In(failed.Output);
            Assert.That(events.Steps.Select(s => s.Split(' ')[0]).Distinct(), Is.EqualTo(new[] { "stage", "preflight" }), "nothing is touched");
            Assert.That(
                events.Failure.GetProperty("error").GetProperty("message").GetString(),
                Does.Contain("config/runtime.exs does not evaluate").And.Contain("DEMO_KEY"));
            Assert.That(refused.ExitCode, Is.EqualTo(Refused), refused.Everything);
            Assert.That(refused.Errors, Does.Contain("made deployment").And.Contain("DEMO_KEY").And.Contain("--again"));
            Assert.That(untouched, Is.EqualTo(AllOld));
            Assert.That(again.ExitCode, Is.Zero, again.Everything);
            Assert.That(fleet.VersionsAsync(cancellation).Result, Is.EqualTo(new[] { "1.2.0", "1.2.0", "1.2.0" }));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_host_that_fails_within_the_failure_budget_is_passed_over(CancellationToken cancellation)
    {
        fleet.WriteManifest("failure_budget: 1");
        fleet.ChangeManifest("  web2: { ", "  web2: { env: { DEMO_MISBEHAVE: crash_at_boot }, ");
        var archive = await DemoRelease.BuildAsync("1.1.0", fleet.Directory, cancellation);

        var (json, failures) = await DeployUnderLoadAsync(archive, cancellation);

        Assert.That(json.ExitCode, Is.Zero, json.Everything);
        var events = DeploymentEvents.In(json.Output);
        Assert.Multiple(() =>
        {
            Assert.That(failures, Is.Empty, json.Everything);
            Assert.That(fleet.VersionsAsync(cancellation).Result, Is.EqualTo(new[] { "1.1.0", "", "1.1.0" }));
            Assert.That(events.PositionOf("web2"), Is.EqualTo("out_of_rotation"));
            Assert.That(events.End.GetProperty("message").GetString(), Does.Contain("demo 1.1.0 runs on 2 hosts").And.Contain("web2 failed within the budget"));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Without_automatic_rollback_a_failed_host_is_left_as_it_is_and_people_are_told_what_next(CancellationToken cancellation)
    {
        fleet.WriteManifest("auto_rollback: false");
        var archive = await DemoRelease.BuildAsync("1.0.1", fleet.Directory, cancellation, "--misbehave", "crash_at_boot");

        var (json, failures) = await DeployUnderLoadAsync(archive, cancellation);
        var left = await fleet.VersionsAsync(cancellation);
        var rollback = await fleet.DecantAsync(cancellation, "rollback");

        Assert.That(json.ExitCode, Is.EqualTo(NeedsAttention), json.Everything);
        var events = DeploymentEvents.In(json.Output);
        Assert.Multiple(() =>
        {
            Assert.That(failures, Is.Empty, json.Everything);
            Assert.That(left, Is.EqualTo(new[] { "", "1.0.0", "1.0.0" }));
            Assert.That(events.PositionOf("web1"), Is.EqualTo("out_of_rotation"));
            Assert.That(
                events.End.GetProperty("what_next").GetString(),
                Does.Contain($"decant resume {events.Deployment}").And.Contain("decant rollback").And.Contain($"decant show {events.Deployment}"));
            Assert.That(rollback.ExitCode, Is.Zero, rollback.Everything);
            Assert.That(fleet.VersionsAsync(cancellation).Result, Is.EqualTo(AllOld), rollback.Everything);
        });
    }

    /// <summary>Deploys while requests flow; how that ended, and the requests that failed.</summary>
    private async Task<(CommandResult Deployment, string Failures)> DeployUnderLoadAsync(string archive, CancellationToken cancellation)
    {
        CommandResult deployment = null!;
        var report = await fleet.UnderLoadAsync(
            async _ => deployment = await fleet.DecantAsync(cancellation, "deploy", archive, "--json", "--again"), cancellation);
        return (deployment, report.Failed == 0 ? "" : report.ToString());
    }
}
