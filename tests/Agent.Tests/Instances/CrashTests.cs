using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Agent.Tests.Balancers;

namespace Decant.Agent.Tests.Instances;

/// <summary>Releases that die: what is told of it, and how they are started again.</summary>
[Parallelizable(ParallelScope.Self)]
public class CrashTests
{
    private AgentHost host = null!;

    [OneTimeSetUp]
    public async Task Open() => host = await AgentHost.CreateAsync();

    [OneTimeTearDown]
    public async Task Close() => await host.DisposeAsync();

    [Test]
    [CancelAfter(120_000)]
    public async Task A_release_that_dies_while_starting_fails_at_once_with_its_last_lines_and_is_tried_again_with_a_growing_wait(
        CancellationToken cancellation)
    {
        var slot = await host.StartAsync("boot", host.Spec("demo-boot@127.0.0.1", ("DEMO_MISBEHAVE", "crash_at_boot")), host.One, cancellation);

        // Long before its deadline, or the test's own ends it.
        var error = await AgentHost.RefusedAsync(() => host.AwaitHealthyAsync(slot, host.One, cancellation, deadline: TimeSpan.FromHours(1)));
        var waits = new HashSet<TimeSpan>();
        await Eventually.TrueAsync(
            () =>
            {
                if (slot.Snapshot() is { State: InstanceState.BackingOff, RestartAt: { } at, Record.LastExit.At: var died }) waits.Add(at - died);
                return slot.Snapshot().Record.Restarts >= 3;
            },
            "three restarts");
        var stopped = await host.StopAsync(slot, cancellation);

        var exit = slot.Snapshot().Record.LastExit!;
        var directory = host.Directories.Of(slot.Key);
        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("INSTANCE_EXITED"));
            Assert.That(error.Message, Does.Contain("exit code 1").And.Contain("shop_api_key is missing"));
            Assert.That(error.WhatNext, Does.Contain(host.Directories.Crash(slot.Key)));
            Assert.That(exit.ExitCode, Is.EqualTo(1));
            Assert.That(exit.Tail, Has.Some.Contains("shop_api_key is missing"));
            Assert.That(exit.CrashDump, Does.Exist, "it is named where it is");
            Assert.That(Directory.GetFiles(host.Directories.Crash(slot.Key)), Has.Length.LessThanOrEqualTo(2), "older dumps are deleted");
            Assert.That(Directory.GetFiles(directory, "*.dump"), Is.Empty, "none in the working directory");
            Assert.That(waits, Is.Not.Empty);
            Assert.That(stopped.Means, Is.AnyOf(StopMeans.NotRunning, StopMeans.Script, StopMeans.Sigterm));
            Assert.That((slot.Snapshot().State, slot.Snapshot().RestartAt), Is.EqualTo((InstanceState.Stopped, (DateTimeOffset?)null)));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_release_that_crashes_after_it_was_healthy_is_caught_by_min_healthy_and_told_by_what_it_printed_itself(
        CancellationToken cancellation)
    {
        var good = host.Spec("demo-late@127.0.0.1");
        var slot = await host.StartAsync("late", good, host.One, cancellation);
        await host.AwaitHealthyAsync(slot, host.One, cancellation);
        await host.StopAsync(slot, cancellation);

        await host.StartAsync("late", host.Spec("demo-late@127.0.0.1", ("DEMO_MISBEHAVE", "crash_after_healthy"), ("DEMO_CRASH_AFTER_MS", "300")), host.Two, cancellation);
        var error = await AgentHost.RefusedAsync(() => host.AwaitHealthyAsync(slot, host.Two, cancellation, minHealthy: TimeSpan.FromHours(1)));
        await host.StopAsync(slot, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("INSTANCE_EXITED"));
            Assert.That(error.Message, Does.Contain("exit code 3").And.Contain("out of widgets").And.Contain("demo 2.0.0 is ready"));
            Assert.That(error.Message, Does.Not.Contain("demo 1.0.0"), "the earlier run is in the same log");
            Assert.That(host.Store.KnownGood(DemoReleases.App), Is.EqualTo(new[] { host.One.Id }));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task The_dump_of_a_command_that_fails_is_not_taken_for_one_of_the_instance(CancellationToken cancellation)
    {
        var spec = host.Spec("demo-calm@127.0.0.1");
        var slot = await host.StartAsync("calm", spec, host.One, cancellation);
        await host.AwaitHealthyAsync(slot, host.One, cancellation);

        var bad = spec with { Environment = new Dictionary<string, string> { ["DEMO_REQUIRE"] = "MISSING" } };
        var end = await host.Script.EvalAsync(AgentHost.Target("calm", bad, host.Two), ":ok", TimeSpan.FromSeconds(30), null, cancellation);
        await host.StopAsync(slot, cancellation);

        Assert.That((end.ExitCode, slot.Snapshot().Record.LastExit!.CrashDump), Is.EqualTo((1, (string?)null)));
    }
}
