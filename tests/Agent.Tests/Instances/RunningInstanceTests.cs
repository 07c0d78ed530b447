using System.Net;
using System.Net.Sockets;
using Decant.Agent.Elixir;
using Decant.Agent.Health;
using Decant.Agent.Instances;
using Decant.Agent.Tests.Balancers;
using Decant.Names;

namespace Decant.Agent.Tests.Instances;

/// <summary>One instance that runs and never becomes healthy by itself: what is asked of it, and what is refused while it runs.</summary>
[Parallelizable(ParallelScope.Self)]
public class RunningInstanceTests
{
    private AgentHost host = null!;
    private InstanceSlot slot = null!;
    private SlotSpec spec = null!;

    private ReleaseInSlot Target => new(slot.Key, spec, host.One, null);

    [OneTimeSetUp]
    public async Task Start()
    {
        host = await AgentHost.CreateAsync();
        spec = host.Spec("demo-main@127.0.0.1", ("DEMO_MISBEHAVE", "never_healthy"));
        slot = await host.StartAsync("main", spec, host.One, CancellationToken.None, AgentHost.Ready with { Rise = 2, Fall = 3 });
        await host.AwaitHealthyAsync(slot, host.One, CancellationToken.None, AgentHost.Check(new HealthProbe.Tcp()));
    }

    [OneTimeTearDown]
    public async Task Stop() => await host.DisposeAsync();

    [Test]
    [CancelAfter(120_000)]
    public async Task One_that_never_becomes_healthy_fails_at_its_deadline_with_the_last_failure_and_its_last_lines(CancellationToken cancellation)
    {
        var error = await AgentHost.RefusedAsync(
            () => host.AwaitHealthyAsync(slot, host.One, cancellation, deadline: TimeSpan.FromMilliseconds(300)));

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("NOT_HEALTHY"));
            Assert.That(error.Message, Does.Contain("demo/main (1.0.0) was not healthy within 0.3 s: GET /health answered 503 (starting)"));
            Assert.That(error.WhatNext, Does.Contain("healthy_deadline"));
        });
    }

    [TestCase("/version", null, null, null)]
    [TestCase("/version", 200, "1.0.0", null)]
    [TestCase("/health", 503, "starting", null)]
    [TestCase("/version", 204, null, "GET /version answered 200 (1.0.0)")]
    [TestCase("/nowhere", null, null, "GET /nowhere answered 404 (not found)")]
    [TestCase("/version", null, "2.0.0", "GET /version answered 200, but without \"2.0.0\" in its body")]
    [TestCase("/slow?ms=60000", null, null, "no answer within 0.3 s")]
    [CancelAfter(120_000)]
    public async Task An_http_check_asks_for_path_status_and_body(
        string path, int? status, string? body, string? failure, CancellationToken cancellation)
    {
        var check = AgentHost.Check(new HealthProbe.Http(path, status, body, "shop.example"));
        if (path.StartsWith("/slow", StringComparison.Ordinal)) check = check with { Timeout = TimeSpan.FromMilliseconds(300) };

        Assert.That(await host.Prober.ProbeAsync(check, Target, cancellation), Is.EqualTo(failure));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_tcp_check_asks_whether_the_port_is_open(CancellationToken cancellation)
    {
        var check = AgentHost.Check(new HealthProbe.Tcp());
        var closed = Target with { Spec = spec with { Port = host.NextPort() } };

        Assert.Multiple(async () =>
        {
            Assert.That(await host.Prober.ProbeAsync(check, Target, cancellation), Is.Null);
            Assert.That(await host.Prober.ProbeAsync(check, closed, cancellation), Is.EqualTo($"port {closed.Spec.Port}: Connection refused"));
        });
    }

    [TestCase("true = Process.alive?(Process.whereis(Demo.Supervisor))", "^$")]
    [TestCase("raise \"no widgets\"", "^rpc exited with 1: ")]
    [TestCase("Process.sleep(60_000)", "no answer within 1.5 s$")]
    [CancelAfter(120_000)]
    public async Task An_rpc_check_evaluates_an_expression_in_the_node(string expression, string failure, CancellationToken cancellation)
    {
        var check = AgentHost.Check(new HealthProbe.Rpc(expression));
        if (expression.StartsWith("Process.sleep", StringComparison.Ordinal)) check = check with { Timeout = TimeSpan.FromSeconds(1.5) };

        var found = await host.Prober.ProbeAsync(check, Target, cancellation);

        Assert.That(found ?? "", Does.Match(failure));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task It_becomes_healthy_after_as_many_successes_as_rise_says_and_stops_being_it_after_as_many_failures_as_fall_says(
        CancellationToken cancellation)
    {
        Assert.That(slot.Snapshot().State, Is.Not.EqualTo(InstanceState.Running));
        await ReadyAsync(true, cancellation);
        await Eventually.TrueAsync(() => slot.Snapshot().Health is { IsHealthy: true }, "healthy by the continuous check");
        Assert.That(slot.Snapshot().State, Is.EqualTo(InstanceState.Running));

        while (host.Report.Seen.TryDequeue(out _))
        {
            // Of other tests.
        }

        var waiting = host.AwaitHealthyAsync(
            slot, host.One, cancellation, AgentHost.Ready with { Rise = 3, Fall = 2 }, minHealthy: TimeSpan.FromHours(1));
        await Eventually.TrueAsync(() => host.Report.Seen.Any(s => s.IsHealthy), "the third success");
        await ReadyAsync(false, cancellation);
        var error = await AgentHost.RefusedAsync(() => waiting);
        await Eventually.TrueAsync(() => slot.Snapshot().Health is { IsHealthy: false }, "unhealthy by the continuous check");

        Assert.Multiple(() =>
        {
            Assert.That(host.Report.Seen.Where(s => s.Successes > 0).Select(s => (s.Successes, s.IsHealthy)).Take(3),
                Is.EqualTo(new[] { (1, false), (2, false), (3, true) }));
            Assert.That(error.Reason, Is.EqualTo("NOT_HEALTHY"));
            Assert.That(error.Message, Does.Contain("became healthy but did not stay so: GET /health answered 503"));
            Assert.That(slot.Snapshot().Record.Restarts, Is.Zero, "an unhealthy instance is told of, not killed");
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task To_start_what_runs_already_changes_nothing(CancellationToken cancellation)
    {
        var before = slot.Run!.Process.Identity;
        var wanted = slot.Snapshot().Record with { Deployment = DeploymentId.Parse("d2") };

        var started = await slot.StartAsync(wanted, host.Report, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That((started.Unchanged, started.Pid, started.StartTicks), Is.EqualTo((true, before.Pid, before.StartTicks)));
            Assert.That(slot.Run!.Process.Identity, Is.EqualTo(before));
            Assert.That(host.Store.All().Single(r => r.Key == slot.Key).Deployment!.Value, Is.EqualTo("d2"));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task To_start_another_release_or_other_settings_where_one_runs_is_refused(CancellationToken cancellation)
    {
        var release = await AgentHost.RefusedAsync(() => host.StartAsync("main", spec, host.Two, cancellation));
        var settings = await AgentHost.RefusedAsync(() => host.StartAsync(
            "main", spec with { Environment = new Dictionary<string, string>() }, host.One, cancellation));

        Assert.That(new[] { release.Reason, settings.Reason }, Is.All.EqualTo("SLOT_OCCUPIED"));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task To_start_on_a_port_in_use_is_refused_with_its_owners_name(CancellationToken cancellation)
    {
        var byInstance = await AgentHost.RefusedAsync(
            () => host.StartAsync("other", host.Spec("demo-other@127.0.0.1") with { Port = spec.Port }, host.One, cancellation));
        using var listener = new TcpListener(IPAddress.Any, host.NextPort());
        listener.Start();
        var byTest = await AgentHost.RefusedAsync(() => host.StartAsync(
            "other", host.Spec("demo-other@127.0.0.1") with { Port = ((IPEndPoint)listener.LocalEndpoint).Port }, host.One, cancellation));

        Assert.Multiple(() =>
        {
            Assert.That(new[] { byInstance.Reason, byTest.Reason }, Is.All.EqualTo("PORT_IN_USE"));
            Assert.That(byInstance.Message, Does.Contain($"port {spec.Port}").And.Contain($"pid {slot.Run!.Process.Identity.Pid} (beam.smp)"));
            Assert.That(byTest.Message, Does.Contain($"pid {Environment.ProcessId} ("));
            Assert.That(host.Instances.Get(AgentHost.Key("other")).Snapshot().State, Is.EqualTo(InstanceState.Stopped));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Another_release_than_the_awaited_one_is_found_out_by_the_supervisor(CancellationToken cancellation)
    {
        var error = await AgentHost.RefusedAsync(() => host.AwaitHealthyAsync(slot, host.Two, cancellation));

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("WRONG_RELEASE"));
            Assert.That(error.Message, Does.Contain($"should run {host.Two.Id}").And.Contain($"runs {host.One.Id}"));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_node_that_runs_another_release_than_its_record_says_is_found_out_by_asking_it(CancellationToken cancellation)
    {
        // Another program's instance of the app took the node's name: everything on disk says 2.0.0.
        var verification = new RunningVerification(host.Script, host.Epmd, TimeProvider.System);

        var error = await AgentHost.RefusedAsync(
            () => verification.VerifyAsync(new ReleaseInSlot(slot.Key, spec, host.Two, null), slot.Run!, cancellation));

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("WRONG_RELEASE"));
            Assert.That(error.Message, Does.Contain($"its node says that it runs 1.0.0 from {host.One.Root}"));
        });
    }

    private async Task ReadyAsync(bool ready, CancellationToken cancellation)
    {
        var end = await host.Script.RpcAsync(
            Target, $":persistent_term.put(Demo.Readiness, {(ready ? "true" : "false")})", TimeSpan.FromSeconds(30), null, cancellation);
        Assert.That(end.ExitCode, Is.Zero, end.TailText(5));
    }
}
