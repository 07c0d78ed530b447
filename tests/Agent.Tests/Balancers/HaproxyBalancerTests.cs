using Decant.Agent.Balancers;
using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Tests.Balancers;

[Parallelizable(ParallelScope.All)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class HaproxyBalancerTests
{
    private static readonly MemberName Shop = MemberName.Parse("shop");
    private static readonly MemberKey Web1 = Key("web1");
    private static readonly MemberKey Web2 = Key("web2");
    private readonly TestMember one = new("web1");
    private readonly TestMember two = new("web2");
    private readonly RecordedReport report = new();

    private static MemberKey Key(string member, string backend = "shop") => new(MemberName.Parse(backend), MemberName.Parse(member));

    private static DrainOptions Within(double seconds, int others = 0) => new(TimeSpan.FromSeconds(seconds), others);

    [TearDown]
    public async Task StopMembers()
    {
        await one.DisposeAsync();
        await two.DisposeAsync();
    }

    [Test]
    public async Task A_drain_waits_for_the_request_in_flight_while_new_ones_go_elsewhere()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        var slow = await SlowRequestAtOneAsync(haproxy);

        var drain = balancer.DrainAsync(Web1, Within(20, others: 1), report, default);
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("web1")).Status == "DRAIN", "the drain");
        for (var i = 0; i < 6; i++) Assert.That(await haproxy.GetAsync("/"), Is.EqualTo("web2"));
        Assert.That(drain.IsCompleted, Is.False);
        one.FinishSlow();
        var drained = await drain;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(await slow, Is.EqualTo("web1"));
            Assert.That(drained.SessionsLeft, Is.Zero);
            Assert.That(drained.Unchanged, Is.False);
            Assert.That(report.Sessions, Is.EqualTo(new[] { 1, 0 }));
            Assert.That(report.Messages, Is.Empty);
        }
    }

    [Test]
    public async Task A_drain_does_not_wait_for_idle_connections()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        for (var i = 0; i < 4; i++) await haproxy.GetAsync("/");

        var drained = await balancer.DrainAsync(Web1, Within(20), report, default);

        Assert.That(drained.Elapsed, Is.LessThan(TimeSpan.FromSeconds(2)));
    }

    [Test]
    public async Task A_drain_whose_deadline_passes_says_how_many_sessions_are_left()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        var slow = await SlowRequestAtOneAsync(haproxy);

        var drained = await balancer.DrainAsync(Web1, Within(0.3), report, default);
        one.FinishSlow();

        Assert.That(drained.SessionsLeft, Is.EqualTo(1));
        Assert.That(await slow, Is.EqualTo("web1"));
    }

    [Test]
    public async Task Draining_what_is_drained_changes_nothing()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        await balancer.DrainAsync(Web1, Within(20), report, default);

        Assert.That((await balancer.DrainAsync(Web1, Within(20, others: 5), report, default)).Unchanged, Is.True);
    }

    [Test]
    public async Task A_member_in_maintenance_is_drained_already_and_stays_so()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        var first = await balancer.MaintenanceAsync(Web1, report, default);
        var second = await balancer.MaintenanceAsync(Web1, report, default);

        var drained = await balancer.DrainAsync(Web1, Within(20), report, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(first.Unchanged, Is.False);
            Assert.That(second.Unchanged, Is.True);
            Assert.That(drained.Unchanged, Is.True);
            Assert.That((await haproxy.ReadAsync("web1")).Status, Is.EqualTo("MAINT"));
        }
    }

    [Test]
    public async Task A_drain_that_would_leave_too_few_is_refused_and_names_the_others_states()
    {
        two.Healthy = false;
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("web2")).Status == "DOWN", "web2 down");

        var error = await Refusal.OfAsync(balancer.DrainAsync(Web1, Within(0.2, others: 1), report, default));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Reason, Is.EqualTo("TOO_FEW_IN_ROTATION"));
            Assert.That(error.Code, Is.EqualTo(StatusCode.FailedPrecondition));
            Assert.That(error.Message, Does.Contain("web2 DOWN (L7STS"));
            Assert.That((await haproxy.ReadAsync("web1")).Status, Is.EqualTo("UP"));
        }
    }

    [Test]
    public async Task A_member_that_is_down_itself_is_drained_however_few_others_are_up()
    {
        one.Healthy = two.Healthy = false;
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        foreach (var member in new[] { "web1", "web2" })
            await Eventually.TrueAsync(async () => (await haproxy.ReadAsync(member)).Status == "DOWN", $"{member} down");

        var drained = await balancer.DrainAsync(Web1, Within(0.2, others: 1), report, default);

        Assert.That(drained.SessionsLeft, Is.Zero);
    }

    [Test]
    public async Task A_drain_waits_for_others_that_are_just_coming_up()
    {
        two.Healthy = false;
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("web2")).Status == "DOWN", "web2 down");

        var drain = balancer.DrainAsync(Web1, Within(20, others: 1), report, default);
        await Eventually.TrueAsync(() => !report.Messages.IsEmpty, "a message");
        two.Healthy = true;
        await drain;

        Assert.That(report.Messages.First(), Does.StartWith("waiting for 1 other members of shop to be up before web1 is drained: web2 DOWN"));
    }

    [Test]
    public async Task Of_two_drains_at_once_that_each_want_the_other_up_only_one_is_done()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();

        var drains = await Task.WhenAll(
            OutcomeOf(balancer.DrainAsync(Web1, Within(0.3, others: 1), report, default)), OutcomeOf(balancer.DrainAsync(Web2, Within(0.3, others: 1), report, default)));

        Assert.That(drains, Is.EquivalentTo(new[] { "done", "TOO_FEW_IN_ROTATION" }));
    }

    [Test]
    public async Task An_undrain_returns_when_HAProxys_own_checks_pass()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        await balancer.DrainAsync(Web1, Within(20), report, default);
        one.Healthy = false;
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("web1")).Status == "DOWN", "web1 down");
        Assert.That((await balancer.ReadBackendAsync(Web1.Backend, default)).Members[0].State, Is.EqualTo(MemberState.Draining));

        var undrain = balancer.UndrainAsync(Shop, new PutIn(Web1.Member), TimeSpan.FromSeconds(20), report, default);
        await Eventually.TrueAsync(() => report.Messages.Any(m => m.StartsWith("waiting for HAProxy's own checks to call up in shop: web1 DOWN", StringComparison.Ordinal)), "a message");
        Assert.That(undrain.IsCompleted, Is.False);
        one.Healthy = true;
        var undrained = await undrain;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(undrained.Status, Is.EqualTo("UP"));
            Assert.That(undrained.Unchanged, Is.False);
            Assert.That((await balancer.UndrainAsync(Shop, new PutIn(Web1.Member), TimeSpan.FromSeconds(20), report, default)).Unchanged, Is.True);
        }
    }

    [Test]
    public async Task An_undrain_from_maintenance_waits_for_a_check_that_passes()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        await balancer.MaintenanceAsync(Web1, report, default);
        one.Healthy = false;

        var error = await Refusal.OfAsync(balancer.UndrainAsync(Shop, new PutIn(Web1.Member), TimeSpan.FromSeconds(0.7), report, default));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Reason, Is.EqualTo("MEMBER_NOT_UP"));
            Assert.That(error.Code, Is.EqualTo(StatusCode.DeadlineExceeded));
            Assert.That(error.Message, Does.Contain("web1 DOWN (L7STS"));
        }
    }

    [Test]
    public async Task A_member_without_checks_is_up_at_once()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two], server: "");
        using var balancer = haproxy.Balancer();
        await balancer.DrainAsync(Web1, Within(20, others: 1), report, default);

        Assert.That((await balancer.UndrainAsync(Shop, new PutIn(Web1.Member), TimeSpan.FromSeconds(20), report, default)).Status, Is.EqualTo("no check"));
    }

    [Test]
    public async Task A_cookie_that_sends_sessions_to_a_draining_member_is_told_of()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two], backend: "stick-table type string len 10 size 100\n  stick on str(all)");
        using var balancer = haproxy.Balancer();
        var stuck = await haproxy.GetAsync("/");
        var (member, server) = stuck == "web1" ? (Web1, one) : (Web2, two);
        var slow = haproxy.GetAsync("/slow");
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync(stuck)).Sessions == 1, "the slow request");

        var drain = balancer.DrainAsync(member, Within(20), report, default);
        await Eventually.TrueAsync(
            async () =>
            {
                await haproxy.GetAsync("/");
                return report.Messages.Any(m => m.Contains("although it drains", StringComparison.Ordinal));
            },
            "a message");
        server.FinishSlow();
        await Task.WhenAll(drain, slow);
    }

    [Test]
    public async Task Names_that_are_not_there_are_errors_that_list_those_that_are()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();

        var noMember = await Refusal.OfAsync(balancer.DrainAsync(Key("web3"), Within(20), report, default));
        var noBackend = await Refusal.OfAsync(balancer.UndrainAsync(MemberName.Parse("shoop"), new PutIn(Web1.Member), TimeSpan.FromSeconds(20), report, default));
        var frontend = await Refusal.OfAsync(balancer.ReadBackendAsync(MemberName.Parse("web"), default));

        using (Assert.EnterMultipleScope())
        {
            Assert.That((noMember.Reason, noMember.Code), Is.EqualTo(("MEMBER_NOT_FOUND", StatusCode.NotFound)));
            Assert.That(noMember.Message, Does.EndWith("has no member web3; there are: web1, web2"));
            Assert.That(noBackend.Reason, Is.EqualTo("BACKEND_NOT_FOUND"));
            Assert.That(noBackend.Message, Does.EndWith("has no backend shoop; there are: shop, other"));
            Assert.That(frontend.Reason, Is.EqualTo("BACKEND_NOT_FOUND"));
        }
    }

    [Test]
    public async Task A_backend_is_read_with_its_counters()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        for (var i = 0; i < 4; i++) await haproxy.GetAsync("/");

        var backend = await balancer.ReadBackendAsync(Web1.Backend, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(await balancer.ListBackendsAsync(default), Is.EqualTo(new[] { "shop", "other" }));
            Assert.That(await balancer.ReadVersionAsync(default), Does.Match(@"^\d+\.\d+"));
            Assert.That(backend.Members.Select(m => (m.Name, m.State, m.SessionsTotal, m.Weight)), Is.EqualTo(new[]
            {
                ("web1", MemberState.Ready, 2L, 100), ("web2", MemberState.Ready, 2L, 100),
            }));
            Assert.That(backend.Members[0].Address, Is.EqualTo($"127.0.0.1:{one.Port}"));
            Assert.That(backend.Members[0].LastCheck, Is.EqualTo("L7OK 200"));
        }
    }

    [Test]
    public async Task A_drain_survives_a_reload_and_waits_for_what_the_old_process_has_in_flight()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        var slow = await SlowRequestAtOneAsync(haproxy);
        var drain = balancer.DrainAsync(Web1, Within(20), report, default);
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("web1")).Status == "DRAIN", "the drain");

        await haproxy.ReloadAsync();
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("web1")).Status.StartsWith("DRAIN", StringComparison.Ordinal), "the drain again");
        Assert.That(await haproxy.GetAsync("/"), Is.EqualTo("web2"));
        Assert.That(drain.IsCompleted, Is.False);
        one.FinishSlow();
        var drained = await drain;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(await slow, Is.EqualTo("web1"));
            Assert.That(drained.SessionsLeft, Is.Zero);
            Assert.That(report.Messages.Single(), Is.EqualTo("shop/web1 is back in rotation (HAProxy was reloaded or restarted): draining it again"));
        }
    }

    [Test]
    public async Task An_HAProxy_that_is_killed_while_a_member_drains_is_unreachable_and_nothing_is_assumed()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer(new HaproxyTimings { Gone = TimeSpan.FromMilliseconds(200) });
        var slow = await SlowRequestAtOneAsync(haproxy);
        var drain = balancer.DrainAsync(Web1, Within(20), report, default);
        await Eventually.TrueAsync(() => report.Sessions.Contains(1), "the drain");

        await haproxy.KillAsync();
        var error = await Refusal.OfAsync(drain);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((error.Reason, error.Code), Is.EqualTo(("BALANCER_UNREACHABLE", StatusCode.Unavailable)));
            Assert.That(error.Message, Does.Contain("HAProxy is down"));
            Assert.That(error.Facts["state"], Is.EqualTo("unknown"));
            Assert.That(async () => await slow, Throws.InstanceOf<HttpRequestException>());
        }
    }

    [Test]
    public async Task An_HAProxy_that_is_restarted_while_a_member_drains_is_told_again()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer(new HaproxyTimings { Gone = TimeSpan.FromSeconds(20) });
        var slow = await SlowRequestAtOneAsync(haproxy);
        var drain = balancer.DrainAsync(Web1, Within(20), report, default);
        await Eventually.TrueAsync(() => report.Sessions.Contains(1), "the drain");

        await haproxy.KillAsync();
        await haproxy.RunAsync();
        var drained = await drain;

        Assert.That(drained.SessionsLeft, Is.Zero);
        Assert.That((await haproxy.ReadAsync("web1")).Status, Does.StartWith("DRAIN"));
        Assert.That(async () => await slow, Throws.InstanceOf<HttpRequestException>());
    }

    [Test]
    public async Task An_undrain_survives_a_reload()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        await balancer.DrainAsync(Web1, Within(20), report, default);
        one.Healthy = false;
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("web1")).Status == "DOWN", "web1 down");
        var undrain = balancer.UndrainAsync(Shop, new PutIn(Web1.Member), TimeSpan.FromSeconds(20), report, default);
        await Eventually.TrueAsync(() => !report.Messages.IsEmpty, "a message");

        await haproxy.ReloadAsync();
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("web1")).Status == "DOWN", "web1 down again");
        one.Healthy = true;

        Assert.That((await undrain).Status, Is.EqualTo("UP"));
    }

    [Test]
    public async Task A_socket_without_level_admin_is_refused_with_what_to_change()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer(socket: haproxy.OperatorSocket);

        var error = await Refusal.OfAsync(balancer.DrainAsync(Web1, Within(20), report, default));

        Assert.That(error.Reason, Is.EqualTo("BALANCER_REFUSED"));
        Assert.That(error.WhatNext, Does.Contain("level admin"));
    }

    [Test]
    public async Task A_cancelled_drain_stops_waiting_and_the_next_one_goes_on()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        var slow = await SlowRequestAtOneAsync(haproxy);
        using var cancellation = new CancellationTokenSource();
        var drain = balancer.DrainAsync(Web1, Within(20), report, cancellation.Token);
        await Eventually.TrueAsync(() => report.Sessions.Contains(1), "the drain");

        await cancellation.CancelAsync();
        Assert.That(async () => await drain, Throws.InstanceOf<OperationCanceledException>());
        var next = balancer.DrainAsync(Web1, Within(20), report, default);
        one.FinishSlow();

        Assert.That((await next).SessionsLeft, Is.Zero);
        Assert.That(await slow, Is.EqualTo("web1"));
    }

    private async Task<Task<string>> SlowRequestAtOneAsync(RealHaproxy haproxy)
    {
        // Round robin: one of two requests at once goes to web1; the other is let go.
        two.FinishSlow();
        var requests = new[] { haproxy.GetAsync("/slow"), haproxy.GetAsync("/slow") };
        await Eventually.TrueAsync(
            async () => (await haproxy.ReadAsync("web1")).Sessions == 1 && requests.Any(r => r.IsCompleted), "the slow request at web1");
        return requests.Single(r => !r.IsCompleted);
    }

    private static async Task<string> OutcomeOf(Task<Drained> work)
    {
        try
        {
            await work;
            return "done";
        }
        catch (OperatorException exception)
        {
            return exception.Error.Reason;
        }
    }
}
