using Decant.EndToEnd.Harness;
using Decant.Load;

namespace Decant.EndToEnd;

/// <summary>
/// Balancers that die, hang, reload or are broken by hand in the middle of a deployment: no request is lost that a healthy one would have
/// kept, the deployment says what is known, and it can be completed.
/// </summary>
public class BalancerFaultTests
{
    private const int FailedSafely = 3;
    private const int NeedsAttention = 4;
    private const string DrainOfWeb2 = "\"step\":\"web2/drain/edge\"";

    // What a drain waits for.
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(3);

    private TestFleet fleet = null!;
    private string old = "";
    private string next = "";
    private string archive = "";

    [OneTimeSetUp]
    public async Task StartFleet() => fleet = await TestFleet.StartAsync(2, CancellationToken.None);

    /// <summary>Each test goes on from what the one before has left, unless that one failed: two releases take turns.</summary>
    [SetUp]
    public async Task ServeOneRelease()
    {
        old = await fleet.GoOnAsync(CancellationToken.None);
        next = old == "1.0.0" ? "1.1.0" : "1.0.0";
        archive = await DemoRelease.BuildAsync(next, fleet.Directory, CancellationToken.None);
    }

    [OneTimeTearDown]
    public async Task TakeDown() => await fleet.DisposeAsync();

    [Test]
    [CancelAfter(90_000)]
    public async Task HAProxy_that_is_killed_in_a_drain_stops_the_deployment_and_resume_completes_it([Values] bool autoRollback, CancellationToken cancellation)
    {
        fleet.WriteManifest(autoRollback ? "" : "auto_rollback: false");
        CommandResult status = null!, completed = null!;
        RunningProgram deployment = null!;
        var exitCode = -1;
        var report = await fleet.UnderLoadAsync(
            async load =>
            {
                deployment = fleet.StartDecant("deploy", archive, "--json");
                await deployment.WaitForLineAsync(DrainOfWeb2, "\"sessions\":", cancellation);
                load.Mark("killed");
                await fleet.Balancer.KillAsync();
                exitCode = await deployment.WaitForExitAsync(cancellation);
                status = await fleet.DecantAsync(cancellation, "status");
                await fleet.Balancer.RunAsync(cancellation);
                load.Mark("again");
                completed = await fleet.DecantAsync(cancellation, "resume", DeploymentEvents.In(deployment.Output).Deployment, "--json");
            },
            cancellation,
            Slow);
        await using var _ = deployment;

        Assert.That(exitCode, Is.EqualTo(NeedsAttention), deployment.Output);
        var events = DeploymentEvents.In(deployment.Output);
        Assert.Multiple(() =>
        {
            AssertFailed(events, "web2", "HAProxy is down");
            Assert.That(events.PositionOf("web2"), Is.EqualTo("unknown"), "nobody can say whether it takes requests");
            Assert.That(events.Steps, Has.None.EndsWith("stop web2"), "what serves is not stopped while nobody knows who else does");
            Assert.That(events.Steps.Count(s => s.EndsWith("stop web1", StringComparison.Ordinal)), Is.EqualTo(1), "nor on the way back");
            Assert.That(status.Output, Does.Match($"web1 .*{next}.* unreachable").And.Match($"web2 .*{old}.* unreachable"), status.Everything);
            Assert.That(status.Output, Does.Contain($"decant resume {events.Deployment}").And.Contain("drain failed"), status.Everything);
            Assert.That(report.Samples.Where(s => s.Failure is not null), Has.All.Matches<Sample>(s => WhileDead(s, report)), $"{report}\n{deployment.Output}");
            Assert.That(completed.ExitCode, Is.EqualTo(autoRollback ? FailedSafely : 0), completed.Everything);
        });
        await AssertServesAsync(autoRollback ? old : next, completed.Everything, cancellation);
    }

    [Test]
    [CancelAfter(90_000)]
    public async Task HAProxy_that_is_reloaded_in_the_middle_of_drains_forgets_them_and_no_request_fails(CancellationToken cancellation)
    {
        fleet.WriteManifest();
        RunningProgram deployment = null!;
        var exitCode = -1;
        var report = await fleet.UnderLoadAsync(
            async _ =>
            {
                deployment = fleet.StartDecant("deploy", archive, "--json");
                foreach (var host in fleet.Hosts)
                {
                    await deployment.WaitForLineAsync($"\"step\":\"{host.Name}/drain/edge\"", "\"sessions\":", cancellation);
                    await fleet.Balancer.ReloadAsync(cancellation);
                    await deployment.WaitForLineAsync($"\"step\":\"{host.Name}/drain/edge\"", "is back in rotation (HAProxy was reloaded or restarted)", cancellation);
                }

                exitCode = await deployment.WaitForExitAsync(cancellation);
            },
            cancellation,
            Slow);
        await using var _ = deployment;

        Assert.That(exitCode, Is.Zero, deployment.Output);
        Assert.That(report.Failed, Is.Zero, $"{report}\n{deployment.Output}");
        await AssertServesAsync(next, deployment.Output, cancellation);
    }

    [Test]
    [CancelAfter(90_000)]
    public async Task HAProxy_that_hangs_in_a_drain_fails_the_step_and_once_it_goes_on_nobody_is_left_out_and_no_request_fails(CancellationToken cancellation)
    {
        fleet.WriteManifest("auto_rollback: false");
        CommandResult completed = null!;
        RunningProgram deployment = null!;
        var exitCode = -1;
        var members = "";
        var report = await fleet.UnderLoadAsync(
            async _ =>
            {
                deployment = fleet.StartDecant("deploy", archive, "--json");
                await deployment.WaitForLineAsync(DrainOfWeb2, "\"sessions\":", cancellation);
                await fleet.Balancer.FreezeAsync();
                await deployment.WaitForLineAsync(DrainOfWeb2, "\"event\":\"step_ended\"", cancellation);
                await fleet.Balancer.ThawAsync();
                exitCode = await deployment.WaitForExitAsync(cancellation);
                members = await fleet.Balancer.AskAsync("show servers state demo", cancellation);
                completed = await fleet.DecantAsync(cancellation, "resume", DeploymentEvents.In(deployment.Output).Deployment, "--json");
            },
            cancellation,
            Slow);
        await using var _ = deployment;

        Assert.That(exitCode, Is.EqualTo(NeedsAttention), deployment.Output);
        var events = DeploymentEvents.In(deployment.Output);
        Assert.Multiple(() =>
        {
            AssertFailed(events, "web2", "did not answer");
            Assert.That(events.Steps[^1], Is.EqualTo("undrain web2"), "it serves: it is put back rather than left idle");
            Assert.That(events.PositionOf("web2"), Is.EqualTo("untouched"));
            Assert.That(In(members), Is.EqualTo(new[] { "2 0", "2 0" }), "as it says");
            Assert.That(completed.ExitCode, Is.Zero, completed.Everything);
            Assert.That(report.Failed, Is.Zero, $"{report}\n{deployment.Output}\n{completed.Everything}");
        });
        await AssertServesAsync(next, completed.Everything, cancellation);
    }

    [TestCase("Silence", false, "did not answer \"prompt\" within 3 s")]
    [TestCase("HangsUp", true, "closed the connection|connection broke|Broken pipe|reset by peer")]
    [TestCase("Garbage", true, "does not answer \"show info\" as HAProxy does: \"220 mail.example ESMTP\"")]
    [CancelAfter(90_000)]
    public async Task A_stats_socket_on_which_no_HAProxy_answers_fails_the_drain_and_nothing_is_stopped(
        string answer, bool autoRollback, string why, CancellationToken cancellation)
    {
        // A migration holds the deployment up where it has been let in and nothing is drained yet.
        fleet.WriteManifest(autoRollback ? "" : "auto_rollback: false", "DEMO_MISBEHAVE: slow_migration\nDEMO_MIGRATION_MS: 1000");
        CommandResult completed = null!;
        RunningProgram deployment = null!;
        var exitCode = -1;
        var report = await fleet.UnderLoadAsync(
            async _ =>
            {
                deployment = fleet.StartDecant("deploy", archive, "--json");
                await deployment.WaitForLineAsync("\"output\":\"migrating to", cancellation);
                await using (FalseStatsSocket.InsteadOf(fleet.Balancer.Socket, Enum.Parse<FalseAnswer>(answer)))
                    exitCode = await deployment.WaitForExitAsync(cancellation);
                completed = await fleet.DecantAsync(cancellation, "resume", DeploymentEvents.In(deployment.Output).Deployment, "--json");
            },
            cancellation);
        await using var _ = deployment;

        Assert.That(exitCode, Is.EqualTo(NeedsAttention), deployment.Output);
        var events = DeploymentEvents.In(deployment.Output);
        Assert.Multiple(() =>
        {
            AssertFailed(events, "web1", why);
            Assert.That(events.Steps, Has.None.Contain("stop ").And.None.Contain("start "));
            Assert.That(events.PositionOf("web1"), Is.EqualTo("unknown"));
            Assert.That(events.PositionOf("web2"), Is.EqualTo("untouched"));
            Assert.That(completed.ExitCode, Is.EqualTo(autoRollback ? FailedSafely : 0), completed.Everything);
            Assert.That(report.Failed, Is.Zero, $"{report}\n{deployment.Output}\n{completed.Everything}");
        });
        await AssertServesAsync(autoRollback ? old : next, completed.Everything, cancellation);
    }

    [Test]
    [CancelAfter(90_000)]
    public async Task Nginx_whose_configuration_was_broken_by_hand_is_found_before_anything_is_stopped_and_resume_completes_when_it_is_mended(CancellationToken cancellation)
    {
        await using var nginx = await BrokenNginx.StartAsync(fleet, cancellation);
        WriteManifest(nginx, "");
        CommandResult first = null!, rolledBack = null!, refused = null!, completed = null!;
        var report = await fleet.UnderLoadAsync(
            async _ =>
            {
                first = await fleet.DecantAsync(cancellation, "deploy", archive, "--json");
                nginx.Break();
                archive = await DemoRelease.BuildAsync(old, fleet.Directory, cancellation);
                rolledBack = await fleet.DecantAsync(cancellation, "deploy", archive, "--json");
                WriteManifest(nginx, "auto_rollback: false");
                refused = await fleet.DecantAsync(cancellation, "deploy", archive, "--json");
                nginx.Mend();
                completed = await fleet.DecantAsync(cancellation, "resume", DeploymentEvents.In(refused.Output).Deployment, "--json");
            },
            cancellation,
            through: nginx.Url);

        Assert.That(first.ExitCode, Is.Zero, first.Everything);
        Assert.That(rolledBack.ExitCode, Is.EqualTo(FailedSafely), rolledBack.Everything);
        Assert.That(refused.ExitCode, Is.EqualTo(NeedsAttention), refused.Everything);
        Assert.Multiple(() =>
        {
            foreach (var events in new[] { DeploymentEvents.In(rolledBack.Output), DeploymentEvents.In(refused.Output) })
            {
                AssertFailed(events, "web1", "unknown directive \"frobnicate\"", reason: "BALANCER_REFUSED");
                Assert.That(events.Steps, Has.None.Contain("stop ").And.None.Contain("start "));
                Assert.That(events.PositionOf("web2"), Is.EqualTo("untouched"));
            }

            Assert.That(DeploymentEvents.In(refused.Output).PositionOf("web1"), Is.EqualTo("untouched"), "nginx goes on with what it has read");
            Assert.That(completed.ExitCode, Is.Zero, completed.Everything);
            Assert.That(report.Failed, Is.Zero, $"{report}\n{refused.Everything}\n{completed.Everything}");
        });
        Assert.That(await fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { old, old }), completed.Everything);
    }

    [Test]
    [CancelAfter(90_000)]
    public async Task Nginx_whose_upstream_file_cannot_be_written_serves_on_as_it_was_and_resume_completes_when_there_is_room(CancellationToken cancellation)
    {
        await using var nginx = await BrokenNginx.StartAsync(fleet, cancellation);
        WriteManifest(nginx, "auto_rollback: false", "DEMO_MISBEHAVE: slow_migration\nDEMO_MIGRATION_MS: 1000");
        RunningProgram deployment = null!;
        CommandResult completed = null!;
        var exitCode = -1;
        var report = await fleet.UnderLoadAsync(
            async _ =>
            {
                deployment = fleet.StartDecant("deploy", archive, "--json");
                await deployment.WaitForLineAsync("\"output\":\"migrating to", cancellation);
                nginx.FillDisk();
                exitCode = await deployment.WaitForExitAsync(cancellation);
                nginx.FreeDisk();
                completed = await fleet.DecantAsync(cancellation, "resume", DeploymentEvents.In(deployment.Output).Deployment, "--json");
            },
            cancellation,
            through: nginx.Url);
        await using var _ = deployment;

        Assert.That(exitCode, Is.EqualTo(NeedsAttention), deployment.Output);
        var events = DeploymentEvents.In(deployment.Output);
        Assert.Multiple(() =>
        {
            AssertFailed(events, "web1", "No space left on device", reason: "BALANCER_REFUSED");
            Assert.That(events.Steps, Has.None.Contain("stop ").And.None.Contain("start "));
            Assert.That(events.PositionOf("web1"), Is.EqualTo("untouched"), "nginx goes on with what it has read");
            Assert.That(completed.ExitCode, Is.Zero, completed.Everything);
            Assert.That(report.Failed, Is.Zero, $"{report}\n{deployment.Output}\n{completed.Everything}");
        });
        Assert.That(await fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { next, next }), completed.Everything);
    }

    private void WriteManifest(BrokenNginx nginx, string strategy, string environment = "")
    {
        fleet.WriteManifest(strategy, environment);
        fleet.ChangeManifest($"agent: {fleet.BalancerHost.AgentAddress}", $"agent: {nginx.Host.AgentAddress}");
    }

    /// <summary>People are told the host, the step and why.</summary>
    private static void AssertFailed(DeploymentEvents events, string host, string why, string reason = "BALANCER_UNREACHABLE")
    {
        var failure = events.Failure;
        var error = failure.GetProperty("error");
        Assert.That(failure.GetProperty("host").GetString(), Is.EqualTo(host));
        Assert.That(failure.GetProperty("verb").GetString(), Is.EqualTo("drain"));
        Assert.That(error.GetProperty("reason").GetString(), Is.EqualTo(reason));
        Assert.That(error.GetProperty("message").GetString(), Does.Match($"edge.*({why})"));
        Assert.That(failure.GetProperty("seconds").GetDouble(), Is.LessThan(15), "within its deadline");
        Assert.That(events.End.GetProperty("message").GetString(), Does.Contain($"{char.ToUpperInvariant(host[0])}{host[1..]}: drain failed: "));
    }

    /// <summary>It failed because there was no HAProxy when it came, or the one that had it was killed.</summary>
    private static bool WhileDead(Sample sample, LoadReport report)
    {
        var (killed, again) = (report.Marks.Single(m => m.Name == "killed").At, report.Marks.Single(m => m.Name == "again").At);
        return sample.At < again && sample.At + sample.Latency >= killed;
    }

    private async Task AssertServesAsync(string version, string told, CancellationToken cancellation)
    {
        Assert.That(await fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { version, version }), told);
        Assert.That(In(await fleet.Balancer.AskAsync("show servers state demo", cancellation)), Is.EqualTo(new[] { "2 0", "2 0" }), "up, and nobody took them out");
    }

    /// <summary>Each member's state and administrative state.</summary>
    private static IEnumerable<string> In(string members)
        => members.Split('\n').Where(l => l.Contains(" web", StringComparison.Ordinal)).Select(l => string.Join(' ', l.Split(' ')[5..7]));
}
