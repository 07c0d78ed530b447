using System.Globalization;
using System.Text.RegularExpressions;
using Decant.EndToEnd.Harness;
using Decant.Load;

namespace Decant.EndToEnd;

/// <summary>A canary goes first, and HAProxy's own counters tell whether the others follow.</summary>
public partial class CanaryTests
{
    private const int FailedSafely = 3;
    private const int AwaitingPromotion = 7;
    private const int Stopped = 130;

    // Response times are averages: answers of a second among them would be most of what is compared.
    private static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(200);

    private TestFleet fleet = null!;
    private string old = "";
    private string next = "";

    [OneTimeSetUp]
    public async Task StartFleet() => fleet = await TestFleet.StartAsync(3, CancellationToken.None);

    /// <summary>Each test goes on from what the one before has left, unless that one failed: two good releases take turns.</summary>
    [SetUp]
    public async Task ServeOneRelease()
    {
        var versions = await fleet.VersionsAsync(CancellationToken.None);
        if (versions.Distinct().Count() > 1 || versions[0].Length == 0) await fleet.ServesAsync(versions[0] == "1.1.0" ? "1.1.0" : "1.0.0", CancellationToken.None);
        old = (await fleet.VersionsAsync(CancellationToken.None))[0];
        next = old == "1.0.0" ? "1.1.0" : "1.0.0";
    }

    [OneTimeTearDown]
    public async Task TakeDown() => await fleet.DisposeAsync();

    [Test]
    [CancelAfter(120_000)]
    public async Task A_canary_that_answers_errors_is_taken_back_by_HAProxys_counters_and_no_other_host_is_touched(CancellationToken cancellation)
    {
        WriteManifest("bake: 30s, max_error_points: 1, max_slowdown: 20");
        var archive = await DemoRelease.BuildAsync("1.2.0", fleet.Directory, cancellation, "--misbehave", "errors_5_percent");

        CommandResult deployment = null!;
        var report = await UnderLoadAsync(async _ => deployment = await fleet.DecantAsync(cancellation, "deploy", archive, "--json", "--again"), cancellation);

        var message = await AssertTakenBackAsync(deployment, cancellation);
        var figures = Errors().Match(message);
        Assert.That(figures.Success, message);
        var failed = report.Samples.Where(s => s.Failure is not null).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(Number(figures, 1), Is.EqualTo(5).Within(1.5), message);
            Assert.That(100 * Number(figures, 2) / Number(figures, 3), Is.EqualTo(Number(figures, 1)).Within(0.01), message);
            Assert.That(Number(figures, 3), Is.GreaterThanOrEqualTo(50), "a handful of answers proves nothing");
            Assert.That(Number(figures, 4), Is.GreaterThan(Number(figures, 3)), "two hosts answer more than one");
            Assert.That(failed, Has.All.Matches<Sample>(s => s is { Failure: "status 500", Version: "1.2.0" }), $"{report}\n{deployment.Everything}");
            Assert.That(failed, Has.Count.GreaterThanOrEqualTo((int)Number(figures, 2)), "clients saw what HAProxy counted");
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_canary_that_takes_three_times_as_long_is_taken_back_by_HAProxys_times_and_no_request_fails(CancellationToken cancellation)
    {
        WriteManifest("bake: 30s, max_slowdown: 3");
        var archive = await DemoRelease.BuildAsync("1.3.0", fleet.Directory, cancellation, "--misbehave", "slow_answers");

        CommandResult deployment = null!;
        var report = await UnderLoadAsync(async _ => deployment = await fleet.DecantAsync(cancellation, "deploy", archive, "--json", "--again"), cancellation);

        var message = await AssertTakenBackAsync(deployment, cancellation);
        var figures = Times().Match(message);
        Assert.That(figures.Success, message);
        Assert.Multiple(() =>
        {
            Assert.That(Number(figures, 1), Is.GreaterThan(3 * Number(figures, 2)), message);
            Assert.That(report.Failed, Is.Zero, $"{report}\n{deployment.Everything}");
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_good_canary_gets_its_share_proves_itself_and_the_others_follow(CancellationToken cancellation)
    {
        WriteManifest("weight: 50%, bake: 4s, max_slowdown: 20");
        var archive = await DemoRelease.BuildAsync(next, fleet.Directory, cancellation);

        RunningProgram deployment = null!;
        var exitCode = -1;
        var report = await UnderLoadAsync(
            async load =>
            {
                deployment = fleet.StartDecant("deploy", archive, "--json");
                await deployment.StepBegunAsync("web1/bake", cancellation);
                load.Mark("bake");
                await deployment.WaitForLineAsync("\"event\":\"step_ended\"", "\"step\":\"web1/bake\"", cancellation);
                load.Mark("promoted");
                exitCode = await deployment.WaitForExitAsync(cancellation);
            },
            cancellation);
        await using var _ = deployment;

        Assert.That(exitCode, Is.Zero, deployment.Output);
        var baked = report.In("bake").Where(s => s.Traffic is Traffic.Fast or Traffic.NewConnection).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(report.Failed, Is.Zero, $"{report}\n{deployment.Output}");
            Assert.That(baked.Count(s => s.Version == next) / (double)baked.Count, Is.EqualTo(0.2).Within(0.08), "half a member's share beside two whole ones");
            Assert.That(DeploymentEvents.In(deployment.Output).Waves[0], Is.EqualTo(new[] { "web1" }));
        });
        await AssertServesAsync(next, deployment.Output, cancellation);
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_canary_behind_a_manual_gate_waits_for_promote(CancellationToken cancellation)
    {
        WriteManifest("bake: 1s, promote: manual, max_slowdown: 20");
        var archive = await DemoRelease.BuildAsync(next, fleet.Directory, cancellation);

        CommandResult waits = null!, promoted = null!;
        IReadOnlyList<string> meanwhile = [];
        var report = await UnderLoadAsync(
            async _ =>
            {
                waits = await fleet.DecantAsync(cancellation, "deploy", archive, "--json");
                meanwhile = await fleet.VersionsAsync(cancellation);
                promoted = await fleet.DecantAsync(cancellation, "promote", DeploymentEvents.In(waits.Output).Deployment);
            },
            cancellation);

        var events = DeploymentEvents.In(waits.Output);
        Assert.Multiple(() =>
        {
            Assert.That(waits.ExitCode, Is.EqualTo(AwaitingPromotion), waits.Everything);
            Assert.That(events.End.GetProperty("status").GetString(), Is.EqualTo("awaiting_promotion"));
            Assert.That(
                events.End.GetProperty("what_next").GetString(),
                Does.Contain($"decant promote {events.Deployment}").And.Contain($"decant abort {events.Deployment}"));
            Assert.That(meanwhile, Is.EqualTo(new[] { next, old, old }));
            Assert.That(promoted.ExitCode, Is.Zero, promoted.Everything);
            Assert.That(promoted.Output, Does.Contain($"demo {next} runs on 3 hosts"));
            Assert.That(report.Failed, Is.Zero, $"{report}\n{waits.Everything}\n{promoted.Everything}");
        });
        await AssertServesAsync(next, promoted.Everything, cancellation);
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task An_abort_while_it_waits_takes_the_canary_back_and_no_request_fails(CancellationToken cancellation)
    {
        WriteManifest("weight: 30%, bake: 1s, promote: manual, max_slowdown: 20");
        var archive = await DemoRelease.BuildAsync(next, fleet.Directory, cancellation);

        CommandResult waits = null!, aborted = null!;
        var report = await UnderLoadAsync(
            async _ =>
            {
                waits = await fleet.DecantAsync(cancellation, "deploy", archive, "--json");
                aborted = await fleet.DecantAsync(cancellation, "abort", DeploymentEvents.In(waits.Output).Deployment, "--json");
            },
            cancellation);

        Assert.That(waits.ExitCode, Is.EqualTo(AwaitingPromotion), waits.Everything);
        Assert.That(aborted.ExitCode, Is.Zero, aborted.Everything);
        Assert.Multiple(() =>
        {
            Assert.That(Touched(DeploymentEvents.In(aborted.Output)), Is.EqualTo(new[] { "web1" }), aborted.Everything);
            Assert.That(report.Failed, Is.Zero, $"{report}\n{waits.Everything}\n{aborted.Everything}");
        });
        await AssertServesAsync(old, aborted.Everything, cancellation);
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_pause_ends_the_watch_and_resume_watches_again_and_goes_on(CancellationToken cancellation)
    {
        WriteManifest("bake: 3s, max_slowdown: 20");
        var archive = await DemoRelease.BuildAsync(next, fleet.Directory, cancellation);

        CommandResult pause = null!, resumed = null!;
        RunningProgram deployment = null!;
        var exitCode = -1;
        var report = await UnderLoadAsync(
            async _ =>
            {
                deployment = fleet.StartDecant("deploy", archive, "--json");
                await deployment.StepBegunAsync("web1/bake", cancellation);
                var id = DeploymentEvents.In(deployment.Output).Deployment;
                pause = await fleet.DecantAsync(cancellation, "pause", id);
                exitCode = await deployment.WaitForExitAsync(cancellation);
                resumed = await fleet.DecantAsync(cancellation, "resume", id, "--json");
            },
            cancellation);
        await using var _ = deployment;

        Assert.Multiple(() =>
        {
            Assert.That(pause.ExitCode, Is.Zero, pause.Everything);
            Assert.That(pause.Output, Does.Contain("is stopped; `decant resume"));
            Assert.That(exitCode, Is.EqualTo(Stopped), deployment.Output);
            Assert.That(Touched(DeploymentEvents.In(deployment.Output)), Is.EqualTo(new[] { "web1" }), "the others wait for the canary");
            Assert.That(resumed.ExitCode, Is.Zero, resumed.Everything);
            Assert.That(report.Failed, Is.Zero, $"{report}\n{deployment.Output}\n{resumed.Everything}");
        });
        var completed = DeploymentEvents.In(resumed.Output);
        Assert.That(completed.IndexOf("step_ended", "bake"), Is.LessThan(completed.IndexOf("step_started", "drain", "web2")), "nobody follows an unproved canary");
        await AssertServesAsync(next, resumed.Everything, cancellation);
    }

    /// <summary>The others of one batch: what is tested is the canary.</summary>
    private void WriteManifest(string canary) => fleet.WriteManifest($"type: canary\nbatch: 2\ncanary: {{ hosts: 1, {canary} }}");

    private Task<LoadReport> UnderLoadAsync(Func<LoadRun, Task> during, CancellationToken cancellation)
        => fleet.UnderLoadAsync(during, cancellation, Slow);

    /// <summary>The watch ended the deployment, and all is as it was; what it says.</summary>
    private async Task<string> AssertTakenBackAsync(CommandResult deployment, CancellationToken cancellation)
    {
        Assert.That(deployment.ExitCode, Is.EqualTo(FailedSafely), deployment.Everything);
        var events = DeploymentEvents.In(deployment.Output);
        Assert.Multiple(() =>
        {
            Assert.That(Touched(events), Is.EqualTo(new[] { "web1" }), deployment.Everything);
            Assert.That(events.PositionOf("web1"), Is.EqualTo("rolled_back"));
            Assert.That(events.PositionOf("web2"), Is.EqualTo("untouched"));
            Assert.That(events.PositionOf("web3"), Is.EqualTo("untouched"));
            Assert.That(events.Failure.GetProperty("verb").GetString(), Is.EqualTo("bake"));
            Assert.That(events.Failure.GetProperty("error").GetProperty("reason").GetString(), Is.EqualTo("CANARY_FAILED"));
        });
        await AssertServesAsync(old, deployment.Everything, cancellation);
        return events.End.GetProperty("message").GetString()!;
    }

    /// <summary>Every host serves it, with a full share at HAProxy.</summary>
    private async Task AssertServesAsync(string version, string told, CancellationToken cancellation)
    {
        Assert.That(await fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { version, version, version }), told);
        var members = await fleet.Balancer.AskAsync("show servers state demo", cancellation);
        Assert.That(
            members.Split('\n').Where(l => l.Contains(" web", StringComparison.Ordinal)).Select(l => string.Join(' ', l.Split(' ')[5..8])),
            Is.EqualTo(new[] { "2 0 100", "2 0 100", "2 0 100" }),
            "up, not taken out, of full weight");
    }

    /// <summary>Hosts at which more was done than preparing them.</summary>
    private static IEnumerable<string> Touched(DeploymentEvents events)
        => events.Steps.Where(s => s.Split(' ')[^2] is not ("stage" or "preflight" or "migrate")).Select(s => s.Split(' ')[^1]).Distinct().Order(StringComparer.Ordinal);

    private static double Number(Match figures, int group) => double.Parse(figures.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"they answer with ([\d.]+) % errors \((\d+) of (\d+)\)(?:, [\d.]+ ms)?, the rest with 0 % errors \(0 of (\d+)\)(?:, [\d.]+ ms)?; 1 points more are tolerated")]
    private static partial Regex Errors();

    [GeneratedRegex(@"they take ([\d.]+) ms to answer, the rest ([\d.]+) ms; 3 times as long is tolerated")]
    private static partial Regex Times();
}
