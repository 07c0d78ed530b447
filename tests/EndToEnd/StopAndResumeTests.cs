using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>Deployments that are interrupted, by people or by death, and go on: no request fails, and every host ends with the new release.</summary>
public class StopAndResumeTests
{
    private const int Stopped = 130;

    private TestFleet fleet = null!;

    [OneTimeSetUp]
    public async Task StartFleet() => fleet = await TestFleet.StartAsync(3, CancellationToken.None);

    /// <summary>Each test goes on from the release that the one before has deployed, unless that one failed.</summary>
    [SetUp]
    public async Task ServeOneRelease()
    {
        var versions = await fleet.VersionsAsync(CancellationToken.None);
        if (versions.Distinct().Count() > 1 || versions[0].Length == 0) await fleet.ServesAsync("1.0.0", CancellationToken.None);
        fleet.WriteManifest();
    }

    [OneTimeTearDown]
    public async Task TakeDown() => await fleet.DisposeAsync();

    [Test]
    [CancelAfter(120_000)]
    public async Task One_Ctrl_C_stops_after_the_running_step_and_resume_completes(CancellationToken cancellation)
    {
        var archive = await DemoRelease.BuildAsync("1.1.0", fleet.Directory, cancellation);
        CommandResult resumed = null!;
        await using var deployment = await UnderLoadAsync(archive, async running =>
        {
            await running.StepBegunAsync("web2/drain/edge", cancellation);
            await running.SignalAsync("INT");
            Assert.That(await running.WaitForExitAsync(cancellation), Is.EqualTo(Stopped), running.Output);
            resumed = await fleet.DecantAsync(cancellation, "resume", DeploymentEvents.In(running.Output).Deployment, "--json");
        }, cancellation);

        var stopped = DeploymentEvents.In(deployment.Output);
        var completed = DeploymentEvents.In(resumed.Output);
        Assert.Multiple(() =>
        {
            Assert.That(stopped.End.GetProperty("status").GetString(), Is.EqualTo("stopped"));
            Assert.That(stopped.End.GetProperty("what_next").GetString(), Does.Contain($"decant resume {stopped.Deployment}"));
            Assert.That(stopped.IndexOf("step_ended", "drain", "web2"), Is.GreaterThan(stopped.IndexOf("stop_requested")), "the running step ends");
            Assert.That(stopped.Steps[^1], Is.EqualTo("drain web2"), "no other is begun");
            Assert.That(completed.Steps, Has.None.StartsWith("migrate").And.None.EqualTo("stop web1"), "what is done is not done again");
        });
        await AssertCompletedAsync(resumed, "1.1.0", cancellation);
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_second_Ctrl_C_aborts_the_running_step_and_resume_completes(CancellationToken cancellation)
    {
        fleet.WriteManifest("min_healthy: 3s");
        var archive = await DemoRelease.BuildAsync("1.2.0", fleet.Directory, cancellation);
        CommandResult resumed = null!;
        await using var deployment = await UnderLoadAsync(archive, async running =>
        {
            await running.WaitForLineAsync("\"healthy\":true", "\"step\":\"web1/await-healthy\"", cancellation);
            await running.SignalAsync("INT");
            await running.WaitForLineAsync("\"event\":\"stop_requested\"", "", cancellation);
            await running.SignalAsync("INT");
            Assert.That(await running.WaitForExitAsync(cancellation), Is.EqualTo(Stopped), running.Output);
            resumed = await fleet.DecantAsync(cancellation, "resume", DeploymentEvents.In(running.Output).Deployment, "--json");
        }, cancellation);

        var aborted = DeploymentEvents.In(deployment.Output);
        Assert.Multiple(() =>
        {
            Assert.That(aborted.End.GetProperty("status").GetString(), Is.EqualTo("aborted"));
            Assert.That(aborted.End.GetProperty("what_next").GetString(), Does.Contain($"decant resume {aborted.Deployment}"));
            Assert.That(aborted.PositionOf("web1"), Is.EqualTo("halfway"));
            Assert.That(aborted.PositionOf("web2"), Is.EqualTo("untouched"));
        });
        await AssertCompletedAsync(resumed, "1.2.0", cancellation);
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_deployment_whose_controller_was_killed_is_shown_as_interrupted_and_resume_completes(CancellationToken cancellation)
    {
        var archive = await DemoRelease.BuildAsync("1.3.0", fleet.Directory, cancellation);
        CommandResult shown = null!;
        CommandResult resumed = null!;
        await using var deployment = await UnderLoadAsync(archive, async running =>
        {
            await running.StepBegunAsync("web2/stop", cancellation);
            await running.KillAsync();
            var id = DeploymentEvents.In(running.Output).Deployment;
            shown = await fleet.DecantAsync(cancellation, "show", id);
            resumed = await fleet.DecantAsync(cancellation, "resume", id, "--json");
        }, cancellation);

        Assert.That(shown.Output, Does.Contain("interrupted").And.Match("stop demo .* on web2: not ended"), shown.Everything);
        await AssertCompletedAsync(resumed, "1.3.0", cancellation);
        Assert.That(await fleet.MigrationRunsAsync("1.3.0", cancellation), Is.EqualTo(1));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_deployment_goes_on_when_agents_are_killed_in_its_steps_and_started_again(CancellationToken cancellation)
    {
        var archive = await DemoRelease.BuildAsync("1.4.0", fleet.Directory, cancellation);
        (string Step, TestHost Host)[] deaths =
            [("web1/drain/edge", fleet.BalancerHost), ("web2/stop", fleet.Hosts[1]), ("web3/await-healthy", fleet.Hosts[2])];
        var exitCode = -1;
        await using var deployment = await UnderLoadAsync(
            archive,
            async running =>
            {
                foreach (var (step, host) in deaths)
                {
                    await running.StepBegunAsync(step, cancellation);
                    await host.KillAgentAsync();
                    await host.StartAgentAsync(cancellation);
                }

                exitCode = await running.WaitForExitAsync(cancellation);
            },
            cancellation);

        Assert.That(exitCode, Is.Zero, $"{deployment.Output}\n{fleet.AgentLogs()}");
        var events = DeploymentEvents.In(deployment.Output);
        Assert.Multiple(() =>
        {
            foreach (var (step, _) in deaths)
            {
                var (host, verb) = (step.Split('/')[0], step.Split('/')[1]);
                Assert.That(events.IndexOf("step_retried", verb, host), Is.LessThan(events.IndexOf("step_ended", verb, host)));
            }

            Assert.That(fleet.VersionsAsync(cancellation).Result, Is.EqualTo(new[] { "1.4.0", "1.4.0", "1.4.0" }));
        });
    }

    private async Task AssertCompletedAsync(CommandResult resumed, string version, CancellationToken cancellation)
    {
        Assert.That(resumed.ExitCode, Is.Zero, $"{resumed.Everything}\n{fleet.AgentLogs()}");
        Assert.That(await fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { version, version, version }));
        var members = await fleet.Balancer.AskAsync("show servers state demo", cancellation);
        Assert.That(
            members.Split('\n').Where(l => l.Contains(" web", StringComparison.Ordinal)).Select(l => (l.Split(' ')[5], l.Split(' ')[6])),
            Is.EqualTo(new[] { ("2", "0"), ("2", "0"), ("2", "0") }),
            "every member is up, and nobody took it out");
    }

    /// <summary>Begins a deployment under load, waits for what is done meanwhile, and sees to it that no request failed.</summary>
    private async Task<RunningProgram> UnderLoadAsync(string archive, Func<RunningProgram, Task> meanwhile, CancellationToken cancellation)
    {
        RunningProgram deployment = null!;
        var report = await fleet.UnderLoadAsync(
            async _ =>
            {
                deployment = fleet.StartDecant("deploy", archive, "--json");
                await meanwhile(deployment);
            },
            cancellation);
        Assert.That(report.Failed, Is.Zero, $"{report}\n{deployment.Output}\n{fleet.AgentLogs()}");
        return deployment;
    }
}
