using Decant.Agent.Configuration;
using Decant.Agent.Elixir;
using Decant.Agent.Health;
using Decant.Agent.Instances;
using Decant.Agent.Supervision;
using Decant.Agent.Tests.Balancers;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Decant.Agent.Tests.Instances;

/// <summary>When an instance that died is started again, by a clock that stands still unless it is moved.</summary>
[Parallelizable(ParallelScope.Self)]
public class RestartTests
{
    private readonly FakeTimeProvider time = new(DateTimeOffset.UnixEpoch.AddYears(60));
    private AgentHost host = null!;
    private ScriptedSupervisor supervisor = null!;
    private InstanceSlot slot = null!;
    private InstanceRecord wanted = null!;

    [SetUp]
    public async Task Start()
    {
        host = await AgentHost.CreateAsync();
        supervisor = new ScriptedSupervisor(host.Directories.Log(AgentHost.Key("main")), time);
        wanted = new InstanceRecord(
            AgentHost.Key("main"), true, host.One.Id, host.Spec("demo-main@127.0.0.1") with { Distribution = false }, null, null, 0, null);
        slot = new InstanceSlot(
            new InstanceParts(
                supervisor, host.Releases, host.Script, host.Epmd, host.Prober, host.Store, new CrashDumps(host.Directories),
                // Longer than the clock is moved by waiting for a restart.
                new RestartSettings { ResetAfter = TimeSpan.FromHours(1) },
                time),
            wanted with { Wanted = false },
            NullLogger<InstanceSlot>.Instance);
        await slot.StartAsync(wanted, host.Report, CancellationToken.None);
    }

    [TearDown]
    public async Task Stop()
    {
        slot.Dispose();
        await host.DisposeAsync();
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task One_that_is_stopped_by_hand_stays_stopped_and_one_that_is_started_by_hand_is_taken_over(CancellationToken cancellation)
    {
        supervisor.Started[^1].Die(0, time.GetUtcNow(), ExitCause.StoppedByHand);
        await Eventually.TrueAsync(() => slot.Run is null, "its end");
        var stopped = slot.Snapshot();
        time.Advance(TimeSpan.FromHours(1));
        var later = slot.Snapshot();

        supervisor.Adopted = new ScriptedSupervisor.Scripted(host.One.Id, 77, time.GetUtcNow());
        await slot.TakeOverAsync();
        var taken = slot.Snapshot();
        await slot.TakeOverAsync();

        Assert.Multiple(() =>
        {
            Assert.That((stopped.State, stopped.Record.Wanted, stopped.Record.StoppedByHand, stopped.Record.Restarts), Is.EqualTo((InstanceState.Stopped, false, true, 0)));
            Assert.That((later.State, supervisor.Started.Count), Is.EqualTo((InstanceState.Stopped, 1)));
            Assert.That((taken.State, taken.Record.Wanted, taken.Record.StoppedByHand, taken.AdoptedAt is not null), Is.EqualTo((InstanceState.Running, true, false, true)));
            Assert.That(host.Store.All().Single().Wanted, Is.True, "it is started again after a reboot");
            Assert.That(cancellation.IsCancellationRequested, Is.False);
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task One_that_ends_because_the_host_does_is_meant_to_run_and_is_not_started_again_before_the_next_boot(CancellationToken cancellation)
    {
        supervisor.Started[^1].Die(0, time.GetUtcNow(), ExitCause.HostStops);
        await Eventually.TrueAsync(() => slot.Run is null, "its end");
        time.Advance(TimeSpan.FromHours(1));

        Assert.That((slot.Snapshot().State, supervisor.Started.Count, host.Store.All().Single().Wanted), Is.EqualTo((InstanceState.Stopped, 1, true)));
        Assert.That(cancellation.IsCancellationRequested, Is.False);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task It_is_started_again_after_a_wait_that_doubles_up_to_its_longest_and_begins_anew_after_a_long_run(CancellationToken cancellation)
    {
        var waits = new List<double>();
        for (var death = 1; death <= 8; death++) waits.Add(await DieAndRestartAsync(TimeSpan.FromSeconds(1)));
        waits.Add(await DieAndRestartAsync(TimeSpan.FromHours(2)));

        Assert.Multiple(() =>
        {
            Assert.That(waits, Is.EqualTo(new double[] { 1, 2, 4, 8, 16, 32, 60, 60, 1 }));
            Assert.That(slot.Snapshot().Record.Restarts, Is.EqualTo(9));
            Assert.That(host.Store.All().Single().Restarts, Is.EqualTo(9));
            Assert.That(cancellation.IsCancellationRequested, Is.False);
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_restart_that_fails_for_whatever_reason_is_tried_again(CancellationToken cancellation)
    {
        supervisor.Failure = new IOException("no space left on device");
        await DieAsync();

        await Eventually.TrueAsync(
            () =>
            {
                time.Advance(TimeSpan.FromMinutes(1));
                return slot.Run is not null;
            },
            "the second attempt");

        Assert.That((supervisor.Failure, supervisor.Started.Count), Is.EqualTo(((Exception?)null, 2)));
        await Task.CompletedTask.WaitAsync(cancellation);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task While_it_waits_a_stop_ends_the_waiting(CancellationToken cancellation)
    {
        await DieAsync();

        var stopped = await host.StopAsync(slot, cancellation);
        time.Advance(TimeSpan.FromHours(1));

        Assert.Multiple(() =>
        {
            Assert.That(stopped.Unchanged, Is.True);
            Assert.That((slot.Snapshot().State, slot.Snapshot().RestartAt), Is.EqualTo((InstanceState.Stopped, (DateTimeOffset?)null)));
            Assert.That(slot.Snapshot().Record.LastExit!.ExitCode, Is.EqualTo(1), "how it ended is still told");
            Assert.That(supervisor.Started, Has.Count.EqualTo(1));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_start_that_is_refused_while_it_waits_leaves_it_waiting(CancellationToken cancellation)
    {
        await DieAsync();
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, wanted.Spec.Port);
        listener.Start();

        var error = await AgentHost.RefusedAsync(() => slot.StartAsync(wanted, host.Report, cancellation));

        Assert.That((error.Reason, slot.Snapshot().State), Is.EqualTo(("PORT_IN_USE", InstanceState.BackingOff)));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task One_that_died_before_anybody_asked_for_its_health_fails_at_once(CancellationToken cancellation)
    {
        await DieAsync();
        var wait = new HealthWait(host.Prober, new RunningVerification(host.Script, host.Epmd, time), host.Store, time);

        // The clock stands still, so no deadline can end this.
        var error = await AgentHost.RefusedAsync(() => wait.RunAsync(
            slot,
            new ReleaseInSlot(slot.Key, wanted.Spec, host.One, null),
            AgentHost.Ready,
            new HealthPatience(TimeSpan.FromHours(1), TimeSpan.Zero),
            host.Report,
            cancellation));

        Assert.That((error.Reason, error.Message), Is.EqualTo(("INSTANCE_EXITED", "demo/main (1.0.0) ended by itself: exit code 1; its last lines:\n")));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task What_is_left_behind_by_an_agent_that_has_stopped_is_not_its_business_any_more(CancellationToken cancellation)
    {
        slot.Dispose();

        supervisor.Started[0].Die(1, time.GetUtcNow());
        await supervisor.Started[0].Exited.WaitAsync(cancellation);
        time.Advance(TimeSpan.FromHours(1));

        Assert.Multiple(() =>
        {
            Assert.That(supervisor.Started, Has.Count.EqualTo(1));
            Assert.That(host.Store.All().Single().LastExit, Is.Null, "the next agent tells of it");
        });
    }

    private async Task DieAsync(TimeSpan ran = default)
    {
        time.Advance(ran);
        supervisor.Started[^1].Die(1, time.GetUtcNow());
        await Eventually.TrueAsync(() => slot.Snapshot().State == InstanceState.BackingOff, "the death to be seen");
    }

    /// <returns>The wait, in seconds.</returns>
    private async Task<double> DieAndRestartAsync(TimeSpan ran)
    {
        await DieAsync(ran);
        var wait = slot.Snapshot().RestartAt!.Value - time.GetUtcNow();
        await Eventually.TrueAsync(
            () =>
            {
                // Its timer may not be set yet.
                time.Advance(wait);
                return slot.Run is not null;
            },
            "the restart");
        return wait.TotalSeconds;
    }
}
