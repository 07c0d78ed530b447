using System.Net.WebSockets;
using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Agent.Tests.Balancers;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Tests.Proxy;

[Parallelizable(ParallelScope.All)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class EmbeddedBalancerTests
{
    private TestUpstream one = null!;
    private TestUpstream two = null!;

    [SetUp]
    public async Task StartMembers()
    {
        one = await TestUpstream.StartAsync("web1");
        two = await TestUpstream.StartAsync("web2");
    }

    [TearDown]
    public async Task StopMembers()
    {
        await one.DisposeAsync();
        await two.DisposeAsync();
    }

    [Test]
    public async Task A_drain_waits_for_the_request_in_flight_while_new_ones_go_elsewhere()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        var slow = proxy.GetAsync("/slow");
        await proxy.UntilAsync(one, m => m.Sessions == 1, "the request in flight");
        await proxy.PutInAsync(two);

        var drain = proxy.DrainAsync(one, others: 1);
        await proxy.UntilAsync(one, m => m.Status == "DRAIN", "the drain");
        for (var i = 0; i < 6; i++) Assert.That(await proxy.GetAsync("/"), Is.EqualTo("web2"));
        Assert.That(drain.IsCompleted, Is.False);
        one.Go();
        var drained = await drain;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(await slow, Is.EqualTo("web1"));
            Assert.That((drained.SessionsLeft, drained.Unchanged), Is.EqualTo((0, false)));
            Assert.That(proxy.Report.Sessions, Is.EqualTo(new[] { 1, 0 }));
            Assert.That((await proxy.DrainAsync(one)).Unchanged, Is.True);
        }
    }

    [Test]
    public async Task A_drain_whose_deadline_passes_says_how_many_are_left_and_cuts_none()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        var slow = proxy.GetAsync("/slow");
        await proxy.UntilAsync(one, m => m.Sessions == 1, "the request in flight");

        var drained = await proxy.DrainAsync(one, seconds: 0.3);
        one.Go();

        Assert.That(drained.SessionsLeft, Is.EqualTo(1));
        Assert.That(await slow, Is.EqualTo("web1"));
    }

    [Test]
    public async Task A_drain_that_would_leave_too_few_is_refused_and_names_the_others()
    {
        await using var proxy = await RunningProxy.StartAsync(one, two);
        await proxy.DrainAsync(two);

        var error = await Refusal.OfAsync(proxy.DrainAsync(one, seconds: 0.2, others: 1));

        using (Assert.EnterMultipleScope())
        {
            Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.FailedPrecondition, "TOO_FEW_IN_ROTATION")));
            Assert.That(error.Message, Does.Contain("web2 DRAINING"));
            Assert.That((await proxy.SeeAsync(one)).Status, Is.EqualTo("UP"));
        }
    }

    [Test]
    public async Task A_member_that_is_down_itself_is_drained_however_few_others_are_up()
    {
        var settings = new ProxySettings { Backends = [new ProxyBackendSettings(RunningProxy.Shop, [], "/", TimeSpan.FromMilliseconds(50))] };
        await using var proxy = await RunningProxy.StartAsync(settings, one, two);
        await proxy.DrainAsync(two);
        await one.KillAsync();
        await proxy.UntilAsync(one, m => m.State != MemberState.Ready, "web1 down");

        var drained = await proxy.DrainAsync(one, seconds: 0.2, others: 1);

        Assert.That(drained.SessionsLeft, Is.Zero);
    }

    [Test]
    public async Task Two_drains_at_once_do_not_both_count_the_other()
    {
        await using var proxy = await RunningProxy.StartAsync(one, two);

        var outcomes = await Task.WhenAll(TryAsync(one), TryAsync(two));

        Assert.That(outcomes, Is.EquivalentTo(new[] { true, false }));

        async Task<bool> TryAsync(TestUpstream member)
        {
            try
            {
                await proxy.DrainAsync(member, seconds: 0.3, others: 1);
                return true;
            }
            catch (OperatorException exception) when (exception.Error.Reason == "TOO_FEW_IN_ROTATION")
            {
                return false;
            }
        }
    }

    [Test]
    public async Task A_member_is_put_in_when_it_accepts_and_not_before()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        await two.KillAsync();

        var error = await Refusal.OfAsync(proxy.Balancer.UndrainAsync(RunningProxy.Shop, RunningProxy.In(two), TimeSpan.FromSeconds(0.2), proxy.Report, default));
        Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.DeadlineExceeded, "MEMBER_NOT_UP")));
        Assert.That(await proxy.SeeAsync(two), Is.Null);

        var putIn = proxy.PutInAsync(two);
        await two.RunAsync();
        Assert.That((await putIn).Status, Is.EqualTo("UP"));
        Assert.That((await proxy.PutInAsync(two)).Unchanged, Is.True);
    }

    [Test]
    public async Task Where_a_check_is_named_a_member_is_up_when_it_passes()
    {
        var settings = new ProxySettings
        {
            Backends = [new ProxyBackendSettings(RunningProxy.Shop, [], "/status/500", TimeSpan.FromMilliseconds(50))],
        };
        await using var proxy = await RunningProxy.StartAsync(settings);

        var error = await Refusal.OfAsync(proxy.Balancer.UndrainAsync(RunningProxy.Shop, RunningProxy.In(one), TimeSpan.FromSeconds(0.2), proxy.Report, default));

        Assert.That(error.Message, Does.Contain("/status/500 answers 500"));
    }

    [Test]
    public async Task A_move_takes_out_only_when_what_goes_in_is_up()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        var move = new BalancerMove([RunningProxy.In(two)], [MemberName.Parse("web1")]);
        await two.KillAsync();
        var error = await Refusal.OfAsync(proxy.Balancer.MoveAsync(RunningProxy.Shop, move, TimeSpan.FromSeconds(0.2), proxy.Report, default));
        Assert.That(error.Reason, Is.EqualTo("MEMBER_NOT_UP"));
        Assert.That(await proxy.GetAsync("/"), Is.EqualTo("web1"));
        await two.RunAsync();

        var moved = await proxy.Balancer.MoveAsync(RunningProxy.Shop, move, TimeSpan.FromSeconds(10), proxy.Report, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(moved.Unchanged, Is.False);
            Assert.That(await proxy.GetAsync("/"), Is.EqualTo("web2"));
            Assert.That((await proxy.SeeAsync(one)).Status, Is.EqualTo("DRAIN"));
            Assert.That((await proxy.Balancer.MoveAsync(RunningProxy.Shop, move, TimeSpan.FromSeconds(10), proxy.Report, default)).Unchanged, Is.True);
        }
    }

    [Test]
    public async Task Traffic_that_moves_back_and_forth_under_load_loses_nothing()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        using var enough = new CancellationTokenSource();
        var load = Enumerable.Range(0, 8).Select(i => LoadAsync(proxy, keepAlive: i < 4, enough.Token)).ToList();

        for (var i = 0; i < 10; i++)
        {
            var (into, outOf) = i % 2 == 0 ? (two, one) : (one, two);
            await proxy.Balancer.MoveAsync(
                RunningProxy.Shop, new BalancerMove([RunningProxy.In(into)], [MemberName.Parse(outOf.Name)]), TimeSpan.FromSeconds(10), proxy.Report, default);
            Assert.That((await proxy.DrainAsync(outOf)).SessionsLeft, Is.Zero);
            // It is stopped, as after a deployment.
            await outOf.KillAsync();
            await outOf.RunAsync();
        }

        await enough.CancelAsync();
        Assert.That((await Task.WhenAll(load)).Sum(), Is.GreaterThan(50));
    }

    [Test]
    public async Task Websockets_of_a_drained_member_are_closed_cleanly_one_after_the_other_and_counted()
    {
        await using var proxy = await RunningProxy.StartAsync(one, two);
        await proxy.DrainAsync(two);
        var sockets = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => proxy.OpenWebSocketAsync()));
        await proxy.PutInAsync(two);

        var drain = proxy.DrainAsync(one, longLived: new LongLivedPolicy(TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(400)));
        foreach (var socket in sockets)
        {
            var ended = await socket.ReceiveAsync(new byte[10], default);
            Assert.That((ended.MessageType, socket.CloseStatus), Is.EqualTo((WebSocketMessageType.Close, WebSocketCloseStatus.EndpointUnavailable)));
            await socket.CloseOutputAsync(socket.CloseStatus!.Value, "", default);
            socket.Dispose();
        }

        var drained = await drain;
        using (Assert.EnterMultipleScope())
        {
            Assert.That((drained.SessionsLeft, drained.LongLivedClosed), Is.EqualTo((0, 5)));
            Assert.That(drained.Elapsed, Is.GreaterThan(TimeSpan.FromMilliseconds(490)));
            Assert.That(await one.Closed, Is.EqualTo(WebSocketCloseStatus.EndpointUnavailable));
        }
    }

    [Test]
    public async Task A_websocket_whose_client_does_not_answer_the_close_is_cut()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        using var socket = await proxy.OpenWebSocketAsync();

        var drained = await proxy.DrainAsync(one, longLived: new LongLivedPolicy(TimeSpan.Zero, TimeSpan.Zero));

        Assert.That((drained.SessionsLeft, drained.LongLivedClosed), Is.EqualTo((0, 1)));
    }

    [Test]
    public async Task Without_a_policy_websockets_are_requests_in_flight()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        using var socket = await proxy.OpenWebSocketAsync();

        var drained = await proxy.DrainAsync(one, seconds: 0.3);

        Assert.That((drained.SessionsLeft, drained.LongLivedClosed), Is.EqualTo((1, 0)));
        Assert.That(socket.State, Is.EqualTo(WebSocketState.Open));
    }

    [Test]
    public async Task Members_are_as_they_were_when_the_proxy_starts_again()
    {
        await using var proxy = await RunningProxy.StartAsync(one, two);
        await proxy.PutInAsync(one, weight: 10);
        await proxy.DrainAsync(two);

        await proxy.StopAsync();
        await proxy.RunAsync();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(await proxy.SeeAsync(one) is { Status: "UP", Weight: 10 });
            Assert.That(await proxy.SeeAsync(two) is { Status: "DRAIN", Weight: 100 });
            Assert.That(await proxy.GetAsync("/"), Is.EqualTo("web1"));
        }
    }

    [Test]
    public async Task A_drain_goes_on_over_a_restart_of_the_proxy()
    {
        await using var proxy = await RunningProxy.StartAsync(one, two);
        await proxy.DrainAsync(two);
        var slow = proxy.GetAsync("/slow");
        await proxy.UntilAsync(one, m => m.Sessions == 1, "the request in flight");
        await proxy.PutInAsync(two);
        var drain = proxy.DrainAsync(one);
        await proxy.UntilAsync(one, m => m.Status == "DRAIN", "the drain");

        var stop = proxy.StopAsync();
        one.Go();
        await stop;
        await proxy.RunAsync();

        Assert.That(await slow, Is.EqualTo("web1"));
        Assert.That((await drain).SessionsLeft, Is.Zero);
    }

    [Test]
    public async Task A_proxy_that_is_not_there_is_unreachable_not_drained()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        await proxy.StopAsync();

        var error = await Refusal.OfAsync(proxy.DrainAsync(one));

        Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.Unavailable, "BALANCER_UNREACHABLE")));
        Assert.That(error.WhatNext, Does.Contain("decant-proxy"));
    }

    [Test]
    public async Task A_change_that_cannot_be_written_down_is_not_made()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        Directory.CreateDirectory(proxy.StateFile + ".new");

        var error = await Refusal.OfAsync(proxy.DrainAsync(one));

        Assert.That(error.Reason, Is.EqualTo("BALANCER_REFUSED"));
        Assert.That((await proxy.SeeAsync(one)).Status, Is.EqualTo("UP"));
    }

    [Test]
    public async Task Members_are_removed_when_they_are_out()
    {
        await using var proxy = await RunningProxy.StartAsync(one, two);
        Assert.That((await Refusal.OfAsync(proxy.Balancer.RemoveAsync(RunningProxy.Key(one), proxy.Report, default))).Reason, Is.EqualTo("MEMBER_IN_ROTATION"));
        await proxy.Balancer.MaintenanceAsync(RunningProxy.Key(one), proxy.Report, default);
        Assert.That((await proxy.SeeAsync(one)).Status, Is.EqualTo("MAINT"));

        await proxy.Balancer.RemoveAsync(RunningProxy.Key(one), proxy.Report, default);

        Assert.That(await proxy.SeeAsync(one), Is.Null);
        Assert.That((await proxy.Balancer.RemoveAsync(RunningProxy.Key(one), proxy.Report, default)).Unchanged, Is.True);
        Assert.That((await Refusal.OfAsync(proxy.DrainAsync(one))).Reason, Is.EqualTo("MEMBER_NOT_FOUND"));
    }

    [Test]
    public async Task A_second_app_without_hosts_is_refused_with_what_to_write()
    {
        await using var proxy = await RunningProxy.StartAsync(one);

        var error = await Refusal.OfAsync(proxy.Balancer.UndrainAsync(MemberName.Parse("blog"), RunningProxy.In(two), TimeSpan.FromSeconds(1), proxy.Report, default));

        Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.NotFound, "BACKEND_NOT_FOUND")));
        Assert.That(error.WhatNext, Does.Contain("proxy.backends"));
    }

    private static async Task<int> LoadAsync(RunningProxy proxy, bool keepAlive, CancellationToken enough)
    {
        var answered = 0;
        for (; !enough.IsCancellationRequested; answered++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, proxy.Url);
            request.Headers.ConnectionClose = !keepAlive;
            using var response = await proxy.Client.SendAsync(request, CancellationToken.None);
            response.EnsureSuccessStatusCode();
        }

        return answered;
    }
}
