using System.Diagnostics;
using System.Globalization;
using Decant.EndToEnd.Harness;
using Decant.Load;
using Decant.V1;

namespace Decant.EndToEnd;

/// <summary>
/// Links between the controller, the agents and the balancer are cut, slow, flap, or let through only one direction, while the fleet serves: each is
/// noticed in the time that the README names, what was begun is joined by its operation id and done once, and no request is lost but what
/// the link itself was carrying.
/// </summary>
public class NetworkTests
{
    private const int FailedSafely = 3;
    private const int NeedsAttention = 4;

    // CallTimings: 5 s until the agent is asked, 5 s for its answer; the library looks every 1.25 s, and this machine is busy.
    private static readonly TimeSpan ControllerNotices = TimeSpan.FromSeconds(13);

    // ListenerLimits: 10 s and 10 s; Kestrel looks every second.
    private static readonly TimeSpan AgentNotices = TimeSpan.FromSeconds(24);

    // Something for a drain to wait for.
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(3);

    private NetworkFleet network = null!;
    private TestFleet fleet = null!;
    private string old = "";
    private string next = "";
    private string archive = "";
    private int deployments;

    private static IEnumerable<string> StepsToCut => LongMode.Cases<string>(["drain/edge"], ["stage", "preflight", "stop", "start", "await-healthy", "undrain/edge"]);

    private static IEnumerable<bool> DirectionsInLongMode => LongMode.Cases<bool>([], [true, false]);

    private static IEnumerable<int> RatesInLongMode => LongMode.Cases<int>([], [1_000_000, 150_000]);

    private static IEnumerable<string> LinksInLongMode => LongMode.Cases<string>([], ["web1", "lb"]);

    private static IEnumerable<int> OutagesInLongMode => LongMode.Cases<int>([], [4]);

    private static IEnumerable<string> StepsToLoseForGoodInLongMode => LongMode.Cases<string>([], ["web2/stage", "web2/start"]);

    private static IEnumerable<string> DrainsInLongMode => LongMode.Cases<string>([], ["web1/drain/edge"]);

    private static IEnumerable<string> StepsOfALostControllerInLongMode => LongMode.Cases<string>([], ["web1/await-healthy"]);

    private static IEnumerable<string> MembersInLongMode => LongMode.Cases<string>([], ["web2"]);

    [OneTimeSetUp]
    public async Task StartFleet()
    {
        network = await NetworkFleet.StartAsync(2, CancellationToken.None);
        fleet = network.Fleet;
    }

    /// <summary>Each test goes on from what the one before has left, unless that one failed, with a release that no host has yet.</summary>
    [SetUp]
    public async Task ServeOneRelease()
    {
        foreach (var cable in AllCables)
        {
            await cable.MendAsync();
            await cable.FindAsync();
        }

        old = await fleet.GoOnAsync(CancellationToken.None);
        next = $"1.{++deployments}.0";
        archive = await DemoRelease.BuildAsync(next, fleet.Directory, CancellationToken.None);
        fleet.WriteManifest();
    }

    [OneTimeTearDown]
    public async Task TakeDown() => await network.DisposeAsync();

    [Test]
    [CancelAfter(120_000)]
    public async Task A_link_that_is_cut_in_a_step_and_mended_is_noticed_and_the_step_is_joined_and_done_once(
        [ValueSource(nameof(StepsToCut))] string step, CancellationToken cancellation)
    {
        var cable = CableTo($"web1/{step}");
        var noticed = TimeSpan.Zero;
        var (exitCode, output, report) = await DeployAsync(
            async deployment =>
            {
                await deployment.StepBegunAsync($"web1/{step}", cancellation);
                await cable.CutAsync();
                noticed = await UntilRetriedAsync(deployment, cancellation);
                await cable.MendAsync();
            },
            cancellation);

        Assert.That(exitCode, Is.Zero, $"{output}\n{fleet.AgentLogs()}");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(noticed, Is.LessThan(ControllerNotices));
            Assert.That(report.Failed, Is.Zero, $"{report}");
            Assert.That(await fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { next, next }));
            await AssertDoneOnceAsync(output, cancellation);
        }

        Tell($"controller - agent, cut in {step}", $"controller: {Seconds(noticed)}", "joined by its id, done once; exit code 0", report);
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_connection_of_which_one_direction_is_lost_is_noticed_and_the_step_is_joined_and_done_once(
        [ValueSource(nameof(DirectionsInLongMode))] bool toTheAgent, CancellationToken cancellation)
    {
        var cable = network.Agents[0];
        var noticed = TimeSpan.Zero;
        var (exitCode, output, report) = await DeployAsync(
            async deployment =>
            {
                await deployment.StepBegunAsync("web1/await-healthy", cancellation);
                await (toTheAgent ? cable.LoseForthAsync() : cable.LoseBackAsync());
                noticed = await UntilRetriedAsync(deployment, cancellation);
                await cable.FindAsync();
            },
            cancellation);

        Assert.That(exitCode, Is.Zero, $"{output}\n{fleet.AgentLogs()}");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(noticed, Is.LessThan(ControllerNotices));
            Assert.That(report.Failed, Is.Zero, $"{report}");
            await AssertDoneOnceAsync(output, cancellation);
        }

        Tell($"controller - agent, half-open ({(toTheAgent ? "what the controller sends is lost" : "what the agent sends is lost")})", $"controller: {Seconds(noticed)}", "joined by its id, done once; exit code 0", report);
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task A_slow_link_carries_an_archive_and_no_deadline_or_lease_is_missed_for_it(
        [ValueSource(nameof(RatesInLongMode))] int bytesPerSecond, CancellationToken cancellation)
    {
        var host = fleet.Hosts[0];
        await using var link = SlowLink.Open(Path.Combine(fleet.Directory, "slow.sock"), host.AgentSocket, bytesPerSecond, TimeSpan.FromMilliseconds(50));
        fleet.ChangeManifest($"agent: {host.AgentAddress},", $"agent: \"unix:{link.Path}\",");
        var size = new FileInfo(archive).Length;

        var (exitCode, output, report) = await DeployAsync(_ => Task.CompletedTask, cancellation);

        Assert.That(exitCode, Is.Zero, $"{output}\n{fleet.AgentLogs()}");
        var staged = DeploymentEvents.In(output).Seconds("stage", "web1");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(output, Does.Not.Contain("step_retried"));
            Assert.That(staged, Is.GreaterThan(TimeSpan.FromSeconds((double)size / bytesPerSecond * 0.9)), "it was slow");
            Assert.That(report.Failed, Is.Zero, $"{report}");
            await AssertDoneOnceAsync(output, cancellation);
        }

        Tell($"controller - agent, {bytesPerSecond / 1000} KB/s and 100 ms there and back", "nothing to notice", $"{size / 1e6:0.0} MB staged in {Seconds(staged)}; no call repeated; exit code 0", report);
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task A_link_that_flaps_all_the_time_delays_and_each_operation_is_done_once(
        [ValueSource(nameof(LinksInLongMode))] string to, CancellationToken cancellation)
    {
        var (cable, host) = to == "lb" ? (network.BalancerAgent, fleet.BalancerHost) : (network.Agents[0], fleet.Hosts[0]);
        var flaps = 0;
        var (exitCode, output, report) = await DeployAsync(
            async deployment =>
            {
                await deployment.WaitForLineAsync("\"event\":\"step_started\"", cancellation);
                while (!deployment.HasExited)
                {
                    await cable.CutAsync();
                    await cable.MendAsync();
                    flaps++;
                    await Eventually.TrueAsync(() => IsReachableAsync(host, cancellation), "the agent can be reached again", cancellation);
                }
            },
            cancellation);

        Assert.That(exitCode, Is.Zero, $"{output}\n{fleet.AgentLogs()}");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(flaps, Is.GreaterThan(5));
            Assert.That(report.Failed, Is.Zero, $"{report}");
            await AssertDoneOnceAsync(output, cancellation);
        }

        Tell($"controller - agent ({to}), flapping {flaps} times in a deployment", $"{Times(output, "step_retried")} calls broke", "joined by its id, done once; exit code 0", report);
    }

    [Test]
    [CancelAfter(240_000)]
    public async Task A_link_that_is_down_until_it_is_noticed_again_and_again_breaks_calls_and_each_operation_is_done_once(
        [ValueSource(nameof(OutagesInLongMode))] int outages, CancellationToken cancellation)
    {
        var cable = network.Agents[0];
        var noticed = new List<TimeSpan>();
        var (exitCode, output, report) = await DeployAsync(
            async deployment =>
            {
                await deployment.StepBegunAsync("web1/preflight", cancellation);
                while (noticed.Count < outages)
                {
                    var broken = Times(deployment.Output, "step_retried");
                    var clock = Stopwatch.StartNew();
                    await cable.CutAsync();
                    await Eventually.TrueAsync(() => Task.FromResult(Times(deployment.Output, "step_retried") > broken), "the controller notices", cancellation);
                    noticed.Add(clock.Elapsed);
                    var ended = Times(deployment.Output, "step_ended");
                    await cable.MendAsync();
                    await Eventually.TrueAsync(() => Task.FromResult(Times(deployment.Output, "step_ended") > ended), "a step ends", cancellation);
                }
            },
            cancellation);

        Assert.That(exitCode, Is.Zero, $"{output}\n{fleet.AgentLogs()}");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(noticed, Has.All.LessThan(ControllerNotices));
            Assert.That(report.Failed, Is.Zero, $"{report}");
            await AssertDoneOnceAsync(output, cancellation);
        }

        Tell($"controller - agent, down {outages} times until noticed", $"controller: {string.Join(", ", noticed.Select(Seconds))}", "joined by its id, done once; exit code 0", report);
    }

    [Test]
    [CancelAfter(400_000)]
    public async Task A_link_that_is_cut_for_good_fails_the_deployment_by_name_the_others_serve_and_it_is_completed_when_the_link_is_mended(
        [ValueSource(nameof(StepsToLoseForGoodInLongMode))] string step, CancellationToken cancellation)
    {
        var cable = network.Agents[1];
        var noticed = TimeSpan.Zero;
        var (exitCode, output, report) = await DeployAsync(
            async deployment =>
            {
                await deployment.StepBegunAsync(step, cancellation);
                await cable.CutAsync();
                noticed = await UntilRetriedAsync(deployment, cancellation);
                await deployment.WaitForExitAsync(cancellation);
            },
            cancellation);
        var serving = await fleet.VersionsAsync(cancellation);
        var events = DeploymentEvents.In(output);
        await cable.MendAsync();
        // What has touched nothing leaves nothing to resume.
        var untouched = step == "web2/stage";
        var completed = await (untouched ? fleet.DecantAsync(cancellation, "deploy", archive) : fleet.DecantAsync(cancellation, "resume", events.Deployment));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(exitCode, Is.EqualTo(untouched ? FailedSafely : NeedsAttention), output);
            Assert.That(noticed, Is.LessThan(ControllerNotices));
            var failure = events.Failure;
            Assert.That(failure.GetProperty("host").GetString(), Is.EqualTo("web2"));
            Assert.That(failure.GetProperty("state").GetString(), Is.EqualTo("unknown"));
            Assert.That(failure.GetProperty("error").GetProperty("message").GetString(), Does.Contain($"the agent at {fleet.Hosts[1].AgentAddress} cannot be reached"));
            Assert.That(events.End.GetProperty("message").GetString(), Does.Contain("web2").IgnoreCase, output);
            Assert.That(serving[0], Is.EqualTo(untouched ? old : next), output);
            Assert.That(report.Failed, Is.Zero, $"{report}");
            Assert.That(completed.ExitCode, Is.EqualTo(untouched ? 0 : FailedSafely), completed.Everything);
            Assert.That(await fleet.VersionsAsync(cancellation), Is.All.EqualTo(untouched ? next : old), "either forward or back, and all of them");
        }

        Tell(
            $"controller - agent, cut for good in {step}",
            $"controller: {Seconds(noticed)}, given up after {Seconds(events.Seconds(step.Split('/')[1], "web2"))}",
            $"exit code {exitCode}, {(untouched ? "nothing touched; deploy again" : "web1 serves on, web2 unknown and named; resume completes the way back")}: exit code {completed.ExitCode}",
            report);
    }

    [Test]
    [CancelAfter(400_000)]
    public async Task The_agent_beside_the_balancer_that_is_gone_for_good_in_a_drain_stops_the_deployment_and_nothing_is_stopped(
        [ValueSource(nameof(DrainsInLongMode))] string step, CancellationToken cancellation)
    {
        var cable = network.BalancerAgent;
        var noticed = TimeSpan.Zero;
        var (exitCode, output, report) = await DeployAsync(
            async deployment =>
            {
                await deployment.StepBegunAsync(step, cancellation);
                await cable.CutAsync();
                noticed = await UntilRetriedAsync(deployment, cancellation);
                await deployment.WaitForExitAsync(cancellation);
            },
            cancellation);
        var events = DeploymentEvents.In(output);
        var serving = await fleet.VersionsAsync(cancellation);
        await cable.MendAsync();
        var resumed = await fleet.DecantAsync(cancellation, "resume", events.Deployment);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(exitCode, Is.EqualTo(NeedsAttention), output);
            Assert.That(events.Steps, Has.None.StartWith("stop "), "what serves is not stopped while nobody knows who else does");
            Assert.That(events.Failure.GetProperty("error").GetProperty("message").GetString(), Does.Contain($"the agent at {fleet.BalancerHost.AgentAddress} cannot be reached"));
            Assert.That(serving, Is.EqualTo(new[] { old, old }));
            Assert.That(report.Failed, Is.Zero, $"{report}");
            Assert.That(resumed.ExitCode, Is.Zero.Or.EqualTo(FailedSafely), resumed.Everything);
        }

        Tell(
            "controller - agent beside the balancer, cut for good in a drain",
            $"controller: {Seconds(noticed)}, given up after {Seconds(events.Seconds("drain", "web1"))}",
            $"exit code {exitCode}, both serve {old}, nothing stopped; resume: exit code {resumed.ExitCode}",
            report);
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task A_controller_that_is_gone_without_a_word_is_noticed_by_its_agents_its_leases_expire_and_resume_goes_on(
        [ValueSource(nameof(StepsOfALostControllerInLongMode))] string step, CancellationToken cancellation)
    {
        fleet.WriteManifest("min_healthy: 3s");
        var (expired, closed) = (TimeSpan.Zero, TimeSpan.Zero);
        var (_, output, report) = await DeployAsync(
            async deployment =>
            {
                await deployment.StepBegunAsync(step, cancellation);
                foreach (var cable in network.Agents.Append(network.BalancerAgent)) await cable.CutAsync();
                var clock = Stopwatch.StartNew();
                // Its kernel would tell the agents, and cannot.
                await deployment.KillAsync();
                var leases = Eventually.TrueAsync(async () => !await IsHeldAsync(cancellation), "the leases expire", cancellation);
                var streams = Eventually.TrueAsync(async () => await ConnectionsAsync(fleet.Hosts[0], cancellation) == 0, "web1 gives up the connection", cancellation);
                await leases;
                expired = clock.Elapsed;
                await streams;
                closed = clock.Elapsed;
            },
            cancellation);
        foreach (var cable in network.Agents.Append(network.BalancerAgent)) await cable.MendAsync();
        var resumed = await fleet.DecantAsync(cancellation, "resume", DeploymentEvents.In(output).Deployment);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(expired, Is.LessThan(TimeSpan.FromSeconds(17)));
            Assert.That(closed, Is.LessThan(AgentNotices));
            Assert.That(report.Failed, Is.Zero, $"{report}");
            Assert.That(resumed.ExitCode, Is.Zero, resumed.Everything);
            Assert.That(await fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { next, next }));
        }

        Tell("controller gone, its FIN lost", $"lease: {Seconds(expired)}; agent: {Seconds(closed)}", "the step ends on its host; resume: exit code 0", report);
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task A_host_that_the_balancer_cannot_reach_any_more_is_not_put_back_and_no_request_goes_to_it(
        [ValueSource(nameof(MembersInLongMode))] string host, CancellationToken cancellation)
    {
        fleet.WriteManifest("min_healthy: 1s\nundrain_timeout: 5s");
        var cable = network.Members[1];
        var (exitCode, output, report) = await DeployAsync(
            async deployment =>
            {
                // It is out of rotation by now: the link carries no request.
                await deployment.StepBegunAsync($"{host}/stop", cancellation);
                await cable.CutAsync();
                await deployment.WaitForExitAsync(cancellation);
            },
            cancellation);
        var events = DeploymentEvents.In(output);
        await cable.MendAsync();
        var resumed = await fleet.DecantAsync(cancellation, "resume", events.Deployment);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(exitCode, Is.EqualTo(NeedsAttention), output);
            Assert.That((events.Failure.GetProperty("host").GetString(), events.Failure.GetProperty("verb").GetString()), Is.EqualTo((host, "undrain")));
            Assert.That(report.Failed, Is.Zero, $"{report}");
            Assert.That(resumed.ExitCode, Is.Zero.Or.EqualTo(FailedSafely), resumed.Everything);
        }

        Tell(
            "balancer - host, cut while the host is out of rotation",
            $"undrain: {Seconds(events.Seconds("undrain", host))} (undrain_timeout 5s)",
            $"exit code {exitCode}, the host stays out, web1 serves; resume: exit code {resumed.ExitCode}",
            report);
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task A_host_that_the_balancer_cannot_reach_is_not_counted_on_and_only_requests_on_the_cut_link_are_lost(
        [ValueSource(nameof(MembersInLongMode))] string host, CancellationToken cancellation)
    {
        fleet.WriteManifest("undrain_timeout: 5s");
        var cable = network.Members[1];
        var noticed = TimeSpan.Zero;
        CommandResult failed = null!;
        var report = await fleet.UnderLoadAsync(
            async load =>
            {
                load.Mark("cut");
                var clock = Stopwatch.StartNew();
                await cable.CutAsync();
                await Eventually.TrueAsync(async () => (await fleet.Balancer.AskAsync("show stat", cancellation)).Split('\n').Any(l => l.StartsWith($"demo,{host},", StringComparison.Ordinal) && l.Contains(",DOWN,", StringComparison.Ordinal)), "HAProxy calls it down", cancellation);
                noticed = clock.Elapsed;
                load.Mark("down");
                failed = await fleet.DecantAsync(cancellation, "deploy", archive);
                await cable.MendAsync();
                load.Mark("mended");
                await Eventually.TrueAsync(async () => (await fleet.Balancer.AskAsync("show stat", cancellation)).Split('\n').Any(l => l.StartsWith($"demo,{host},", StringComparison.Ordinal) && l.Contains(",UP,", StringComparison.Ordinal)), "HAProxy calls it up", cancellation);
            },
            cancellation,
            Slow);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(failed.ExitCode, Is.EqualTo(NeedsAttention), failed.Everything);
            Assert.That(failed.Output, Does.Contain("web1: untouched").And.Contain("web2: OUT OF ROTATION"), failed.Everything);
            Assert.That(await fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { old, old }));
            Assert.That(report.In("down").Where(s => s.Failure is not null), Is.Empty, $"what came when HAProxy had noticed: {report}");
            Assert.That(report.In("mended").Where(s => s.Failure is not null), Is.Empty, $"{report}");
        }

        Tell("balancer - host, cut while the host serves", $"HAProxy: {Seconds(noticed)} (its own checks)", "a deployment begins with that host and cannot put it back; web1 is not touched: exit code 4", report);
    }

    private IEnumerable<Cable> AllCables => [.. network.Agents, .. network.Members, network.BalancerAgent];

    private Cable CableTo(string step) => step.EndsWith("/edge", StringComparison.Ordinal) ? network.BalancerAgent : network.Agents[step.StartsWith("web1", StringComparison.Ordinal) ? 0 : 1];

    /// <summary>Deploys under load, and does something meanwhile.</summary>
    private async Task<(int ExitCode, string Output, LoadReport Report)> DeployAsync(Func<RunningProgram, Task> meanwhile, CancellationToken cancellation)
    {
        var (exitCode, output) = (-1, "");
        var report = await fleet.UnderLoadAsync(
            async _ =>
            {
                await using var deployment = fleet.StartDecant("deploy", archive, "--json");
                await meanwhile(deployment);
                exitCode = await deployment.WaitForExitAsync(cancellation);
                output = deployment.Output;
            },
            cancellation,
            Slow);
        return (exitCode, output, report);
    }

    /// <summary>How long it takes from now until the controller says that an agent cannot be reached.</summary>
    private static async Task<TimeSpan> UntilRetriedAsync(RunningProgram deployment, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        await deployment.WaitForLineAsync("\"event\":\"step_retried\"", cancellation);
        return clock.Elapsed;
    }

    /// <summary>Each step that was begun is one operation of an agent, and it succeeded.</summary>
    private async Task AssertDoneOnceAsync(string output, CancellationToken cancellation)
    {
        var events = DeploymentEvents.In(output);
        var operations = new List<Operation>();
        foreach (var host in fleet.Hosts.Append(fleet.BalancerHost))
        {
            var listed = await new AgentClient(host).Operations.ListOperationsAsync(
                new ListOperationsRequest { DeploymentId = events.Deployment, Limit = 1000 }, cancellationToken: cancellation);
            operations.AddRange(listed.Operations);
        }

        Assert.That(operations.Select(o => o.State), Has.All.EqualTo(OperationState.Succeeded));
        Assert.That(operations, Has.Count.EqualTo(events.Steps.Count), $"{string.Join('\n', events.Steps)}\n{string.Join('\n', operations.Select(o => o.Ref.Id))}");
    }

    private async Task<bool> IsHeldAsync(CancellationToken cancellation)
    {
        foreach (var host in fleet.Hosts.Append(fleet.BalancerHost))
        {
            var known = await new Leases.LeasesClient(host.Channel).ListLeasesAsync(new ListLeasesRequest(), cancellationToken: cancellation);
            if (known.Leases.Any(l => l.Remaining is not null)) return true;
        }

        return false;
    }

    /// <summary>Connections that an agent holds for established.</summary>
    private static async Task<int> ConnectionsAsync(TestHost host, CancellationToken cancellation)
    {
        var (program, arguments) = host.Place.Run("ss", ["-Htn", "state", "established", $"( sport = :{host.AgentPort} )"]);
        var result = await CommandResult.RunAsync(program, arguments, cancellation);
        return result.ExitCode == 0 ? result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length : throw new TestException(result.Everything);
    }

    private async Task<bool> IsReachableAsync(TestHost host, CancellationToken cancellation)
    {
        var (program, arguments) = network.Controller.Run("/bin/bash", ["-c", $"exec 3<>/dev/tcp/{host.Place.Address}/{host.AgentPort}"]);
        return (await CommandResult.RunAsync(program, arguments, cancellation)).ExitCode == 0;
    }

    private static int Times(string output, string word) => output.Split('\n').Count(l => l.Contains($"\"event\":\"{word}\"", StringComparison.Ordinal));

    private static string Seconds(TimeSpan time) => $"{time.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)} s";

    /// <summary>A row of the account.</summary>
    private static void Tell(string fault, string noticed, string outcome, LoadReport report)
        => TestContext.Out.WriteLine(FormattableString.Invariant($"network | {fault} | {noticed} | {outcome} | {report.Failed} of {report.Samples.Count} requests failed"));
}
