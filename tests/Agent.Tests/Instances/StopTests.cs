using Decant.Agent.Health;
using Decant.Agent.Instances;
using Decant.Agent.Operations;

namespace Decant.Agent.Tests.Instances;

/// <summary>The ways in which an instance is stopped, and what can be started right after.</summary>
[Parallelizable(ParallelScope.Self)]
public class StopTests
{
    private AgentHost host = null!;

    [OneTimeSetUp]
    public async Task Open() => host = await AgentHost.CreateAsync();

    [OneTimeTearDown]
    public async Task Close() => await host.DisposeAsync();

    [Test]
    [CancelAfter(120_000)]
    public async Task When_stop_returns_the_process_and_its_name_are_gone_and_the_next_release_starts_at_once(CancellationToken cancellation)
    {
        var spec = host.Spec("demo-main@127.0.0.1");
        var slot = await host.StartAsync("main", spec, host.One, cancellation);
        await host.AwaitHealthyAsync(slot, host.One, cancellation);
        var old = slot.Run!.Process.Identity;

        var stopped = await host.StopAsync(slot, cancellation);
        var wasAlive = old.IsAlive;
        var wasRegistered = await host.Epmd.IsRegisteredAsync(spec.Node, cancellation);
        await host.StartAsync("main", spec, host.Two, cancellation);
        var healthy = await host.AwaitHealthyAsync(slot, host.Two, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That((stopped.Means, stopped.ExitCode), Is.EqualTo((StopMeans.Script, (int?)0)));
            Assert.That((wasAlive, wasRegistered), Is.EqualTo((false, false)));
            Assert.That((healthy.Verified.Version, healthy.Verified.Source), Is.EqualTo(("2.0.0", "node")));
            Assert.That(healthy.Verified.Node, Is.EqualTo("demo-main@127.0.0.1"));
            Assert.That(healthy.Verified.Root, Is.EqualTo(host.Two.Root));
            Assert.That(slot.Snapshot().Record.Restarts, Is.Zero);
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_short_node_name_works_as_well(CancellationToken cancellation)
    {
        var spec = host.Spec("demo-short@localhost");
        var slot = await host.StartAsync("short", spec, host.One, cancellation);

        var healthy = await host.AwaitHealthyAsync(slot, host.One, cancellation);
        var stopped = await host.StopAsync(slot, cancellation);

        Assert.That((healthy.Verified.Node, healthy.Verified.Source, stopped.Means), Is.EqualTo(("demo-short@localhost", "node", StopMeans.Script)));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Without_distribution_it_is_verified_by_its_process_and_stopped_by_SIGTERM(CancellationToken cancellation)
    {
        var spec = host.Spec("demo-none@127.0.0.1") with { Distribution = false };
        var slot = await host.StartAsync("none", spec, host.One, cancellation);

        // Asked at once: the process is still the release's script and knows nothing of its release.
        var healthy = await host.AwaitHealthyAsync(slot, host.One, cancellation, AgentHost.Check(new HealthProbe.Tcp()));
        var registered = await host.Epmd.IsRegisteredAsync(spec.Node, cancellation);
        var stopped = await host.StopAsync(slot, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That((healthy.Verified.Version, healthy.Verified.Source), Is.EqualTo(("1.0.0", "process")));
            Assert.That(healthy.Verified.Root, Is.EqualTo(host.One.Root));
            Assert.That(registered, Is.False);
            Assert.That((stopped.Means, stopped.ExitCode), Is.EqualTo((StopMeans.Sigterm, (int?)0)));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_release_that_refuses_to_stop_is_killed_and_each_means_is_told(CancellationToken cancellation)
    {
        var slot = await host.StartAsync("stubborn", host.Spec("demo-stubborn@127.0.0.1", ("DEMO_MISBEHAVE", "refuse_to_stop")), host.One, cancellation);
        await host.AwaitHealthyAsync(slot, host.One, cancellation);
        var pid = slot.Run!.Process.Identity.Pid;

        var stopped = await host.StopAsync(slot, cancellation, script: 1.5, term: 0.3);
        var again = await host.StopAsync(slot, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That((stopped.Means, stopped.ExitCode), Is.EqualTo((StopMeans.Sigkill, (int?)137)));
            Assert.That(again.Means, Is.EqualTo(StopMeans.NotRunning));
            Assert.That(host.Report.Messages, Is.SupersetOf(new[]
            {
                "it did not stop by itself within 1.5 s", $"SIGTERM to pid {pid}", $"still there after 0.3 s: SIGKILL to pid {pid}",
            }));
            Assert.That(slot.Snapshot().Record.LastExit!.Describe(), Is.EqualTo("ended by signal 9"));
            Assert.That((slot.Snapshot().State, slot.Snapshot().Record.Restarts), Is.EqualTo((InstanceState.Stopped, 0)));
        });
    }
}
