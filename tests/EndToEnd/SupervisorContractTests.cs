using Decant.EndToEnd.Harness;
using Decant.V1;
using Grpc.Core;

namespace Decant.EndToEnd;

/// <summary>What every supervisor does, on a host of its kind: detached processes beside the tests, units of systemd on a booted Debian.</summary>
[TestFixture("process")]
[TestFixture("systemd")]
public class SupervisorContractTests(string supervisor)
{
    private SupervisedHost host = null!;

    [OneTimeSetUp]
    public async Task Start() => host = await SupervisedHost.StartAsync(supervisor, CancellationToken.None);

    [OneTimeTearDown]
    public async Task End()
    {
        if (host is not null) await host.DisposeAsync();
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_release_runs_answers_and_is_stopped_by_its_script_and_its_process_is_gone(CancellationToken cancellation)
    {
        var status = await host.Client.Hosts.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);
        var started = await host.StartedAsync("main", host.Spec("main"), cancellation);
        var rpc = await host.EvaluatedAsync("main", "IO.puts(:stderr, \"err\"); IO.puts(\"out\")", separate: false, cancellation);
        var eval = await host.EvaluatedAsync("main", "IO.puts(System.get_env(\"RELEASE_NODE\"))", separate: true, cancellation);
        var stopped = await host.StoppedAsync("main", cancellation);
        var after = await host.InstanceAsync("main", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(status.Supervisor, Is.EqualTo(supervisor));
            Assert.That((started.State, started.Adopted, started.Restarts), Is.EqualTo((InstanceState.Running, false, 0u)));
            Assert.That(rpc.Split('\n'), Does.Contain("out"));
            Assert.That(eval.Split('\n'), Has.Some.StartsWith("demo-main-"));
            Assert.That((stopped.Means, stopped.ExitCode), Is.EqualTo((StopMeans.Script, 0)));
            Assert.That((after.State, after.StoppedByHand), Is.EqualTo((InstanceState.Stopped, false)));
            Assert.That(host.LivesAsync(started.Pid, cancellation).Result, Is.False);
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task One_that_refuses_to_stop_is_killed_after_both_deadlines(CancellationToken cancellation)
    {
        var started = await host.StartedAsync("stubborn", host.Spec("stubborn", ("DEMO_MISBEHAVE", "refuse_to_stop")), cancellation);

        var stopped = await host.StoppedAsync("stubborn", cancellation, script: 1.5, term: 0.3);

        Assert.That((stopped.Means, stopped.ExitCode), Is.EqualTo((StopMeans.Sigkill, 137)));
        Assert.That(await host.LivesAsync(started.Pid, cancellation), Is.False);
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task One_that_dies_is_started_again_and_its_exit_code_and_last_lines_are_told(CancellationToken cancellation)
    {
        var first = await host.StartedAsync("mortal", host.Spec("mortal"), cancellation);

        await host.EvaluatedAsync("mortal", "IO.puts(:user, \"about to halt\"); spawn(fn -> Process.sleep(200); System.halt(7) end)", separate: false, cancellation);
        Instance again = null!;
        await Eventually.TrueAsync(
            async () => (again = await host.InstanceAsync("mortal", cancellation)) is { Restarts: 1, State: InstanceState.Running }, "the next run", cancellation);
        await host.StoppedAsync("mortal", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(again.Pid, Is.Not.EqualTo(first.Pid));
            Assert.That(again.LastExit.ExitCode, Is.EqualTo(7));
            Assert.That(again.LastExit.Tail, Does.Contain("about to halt"));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task It_outlives_an_agent_that_is_killed_and_the_next_one_takes_it_over(CancellationToken cancellation)
    {
        var before = await host.StartedAsync("survivor", host.Spec("survivor"), cancellation);

        await host.ReplaceAgentAsync(cancellation);
        Instance after = null!;
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    return (after = await host.InstanceAsync("survivor", cancellation)).Adopted;
                }
                catch (RpcException exception) when (exception.StatusCode == StatusCode.Unavailable)
                {
                    return false;
                }
            },
            "the next agent",
            cancellation);
        var stopped = await host.StoppedAsync("survivor", cancellation);

        Assert.That((after.Pid, after.StartTicks, after.Restarts), Is.EqualTo((before.Pid, before.StartTicks, 0u)));
        Assert.That((stopped.Means, stopped.ExitCode), Is.EqualTo((StopMeans.Script, 0)), "as any other");
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task One_that_died_while_no_agent_watched_is_started_again_and_its_exit_code_is_known(CancellationToken cancellation)
    {
        var before = await host.StartedAsync("orphan", host.Spec("orphan"), cancellation);

        await host.EvaluatedAsync("orphan", "spawn(fn -> Process.sleep(3000); System.halt(9) end)", separate: false, cancellation);
        await host.StopAgentAsync(cancellation);
        await Eventually.TrueAsync(async () => !await host.LivesAsync(before.Pid, cancellation), "its end", cancellation);
        await host.StartAgentAsync(cancellation);
        Instance after = null!;
        await Eventually.TrueAsync(async () => (after = await host.InstanceAsync("orphan", cancellation)) is { State: InstanceState.Running }, "the next run", cancellation);
        await host.StoppedAsync("orphan", cancellation);

        Assert.That((after.Restarts, after.LastExit.ExitCode), Is.EqualTo((1u, 9)));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Two_slots_live_side_by_side_and_the_end_of_one_takes_nothing_from_the_other(CancellationToken cancellation)
    {
        await host.StartedAsync("blue", host.Spec("blue"), cancellation);
        await host.StartedAsync("green", host.Spec("green"), cancellation);

        await host.StoppedAsync("blue", cancellation);
        var green = await host.EvaluatedAsync("green", "IO.puts(node())", separate: false, cancellation);
        await host.StoppedAsync("green", cancellation);

        Assert.That(green, Does.StartWith("demo-green-"), "the port mapper is nobody's");
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Its_output_is_followed_from_its_last_lines_on(CancellationToken cancellation)
    {
        await host.StartedAsync("talker", host.Spec("talker"), cancellation);
        await host.EvaluatedAsync("talker", "for n <- 1..20, do: IO.puts(:user, \"said #{n}\")", separate: false, cancellation);
        await Eventually.TrueAsync(async () => (await LinesAsync("talker", 1, cancellation)).SequenceEqual(["said 20"]), "what it said", cancellation);

        using var call = host.Client.Instances.Logs(new LogsRequest { App = "demo", Slot = "talker", Tail = 5, Follow = true }, cancellationToken: cancellation);
        var lines = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            // Each comes while the reader follows.
            if (i == 5) await host.EvaluatedAsync("talker", "IO.puts(:user, \"and more\")", separate: false, cancellation);
            Assert.That(await call.ResponseStream.MoveNext(cancellation), Is.True);
            lines.Add(call.ResponseStream.Current.Text);
        }

        await host.StoppedAsync("talker", cancellation);
        Assert.That(lines, Is.EqualTo(new[] { "said 16", "said 17", "said 18", "said 19", "said 20", "and more" }));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_command_that_takes_too_long_is_ended_with_all_that_it_started(CancellationToken cancellation)
    {
        await host.StartedAsync("slow", host.Spec("slow"), cancellation);

        var error = await AgentClient.ErrorAsync(() => AgentClient.ResultAsync(
            host.Client.Instances.Evaluate(
                new EvaluateRequest
                {
                    Operation = AgentClient.NewOperation(),
                    App = "demo",
                    Slot = "slow",
                    Expression = "System.cmd(\"/bin/sleep\", [\"4711\"])",
                    SeparateVm = true,
                    Timeout = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromSeconds(2)),
                },
                cancellationToken: cancellation),
            cancellation));
        await host.StoppedAsync("slow", cancellation);

        Assert.That((error.Reason, error.Message), Is.EqualTo(("EVALUATION_FAILED", "demo/slow: no end within 2 s")));
        Assert.That((await host.RunAsync("grep -lz 4711 /proc/[0-9]*/cmdline | xargs -r grep -lz '^/bin/sleep$'", cancellation)).Output, Is.Empty);
    }

    private async Task<IReadOnlyList<string>> LinesAsync(string slot, uint tail, CancellationToken cancellation)
    {
        using var call = host.Client.Instances.Logs(new LogsRequest { App = "demo", Slot = slot, Tail = tail }, cancellationToken: cancellation);
        var lines = new List<string>();
        while (await call.ResponseStream.MoveNext(cancellation)) lines.Add(call.ResponseStream.Current.Text);
        return lines;
    }
}
