using System.Net.WebSockets;
using Decant.Agent.Balancers;
using Decant.Names;

namespace Decant.Agent.Tests.Balancers;

/// <summary>Websockets through a real HAProxy while their member drains.</summary>
[Parallelizable(ParallelScope.All)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class HaproxyLongLivedTests
{
    private static readonly MemberKey Web1 = new(MemberName.Parse("shop"), MemberName.Parse("web1"));
    private readonly TestMember member = new("web1");
    private readonly RecordedReport report = new();
    private readonly List<ClientWebSocket> websockets = [];

    [TearDown]
    public async Task Stop()
    {
        websockets.ForEach(w => w.Dispose());
        await member.DisposeAsync();
    }

    [Test]
    public async Task Websockets_are_closed_spread_over_the_window_and_requests_in_flight_are_left_alone()
    {
        await using var haproxy = await RealHaproxy.StartAsync([member], backend: "compression algo gzip");
        using var balancer = haproxy.Balancer(new HaproxyTimings { LongLivedLook = TimeSpan.FromMilliseconds(20) });
        await OpenAsync(haproxy, 8);
        var slow = haproxy.GetAsync("/slow");
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("web1")).Sessions == 9, "nine sessions");

        var policy = new LongLivedPolicy(CloseAfter: TimeSpan.FromMilliseconds(100), Spread: TimeSpan.FromSeconds(2));
        var drain = balancer.DrainAsync(Web1, new DrainOptions(TimeSpan.FromSeconds(30), 0, policy), report, default);
        await Task.WhenAll(websockets.Select(EndAsync));
        await Eventually.TrueAsync(() => report.Sessions.LastOrDefault() == 1, "only the request is left");
        Assert.That(drain.IsCompleted, Is.False);
        member.FinishSlow();
        var drained = await drain;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(await slow, Is.EqualTo("web1"));
            Assert.That((drained.SessionsLeft, drained.LongLivedClosed), Is.EqualTo((0, 8)));
            Assert.That(report.LongLived.First(), Is.EqualTo(8));
            // One after the other: the looks in between saw fewer and fewer.
            Assert.That(report.LongLived.Distinct().Count(), Is.GreaterThan(3));
            Assert.That(report.LongLived, Is.Ordered.Descending);
        }
    }

    [Test]
    public async Task Websockets_without_a_policy_are_sessions_that_end_with_the_app_or_are_counted_at_the_deadline()
    {
        await using var haproxy = await RealHaproxy.StartAsync([member]);
        using var balancer = haproxy.Balancer();
        await OpenAsync(haproxy, 2);

        var given = await balancer.DrainAsync(Web1, new DrainOptions(TimeSpan.FromMilliseconds(300), 0), report, default);
        var drain = balancer.DrainAsync(Web1, new DrainOptions(TimeSpan.FromSeconds(20), 0), report, default);
        await member.DisposeAsync();
        await Task.WhenAll(websockets.Select(EndAsync));

        Assert.That((given.SessionsLeft, given.LongLivedClosed), Is.EqualTo((2, 0)));
        Assert.That((await drain).SessionsLeft, Is.Zero);
    }

    [Test]
    public async Task Websockets_in_a_process_on_its_way_out_are_closed_too()
    {
        await using var haproxy = await RealHaproxy.StartAsync([member]);
        using var balancer = haproxy.Balancer(new HaproxyTimings { LongLivedLook = TimeSpan.FromMilliseconds(20) });
        await OpenAsync(haproxy, 2);
        var policy = new LongLivedPolicy(CloseAfter: TimeSpan.FromSeconds(1), Spread: TimeSpan.Zero);
        var drain = balancer.DrainAsync(Web1, new DrainOptions(TimeSpan.FromSeconds(30), 0, policy), report, default);
        await Eventually.TrueAsync(() => report.LongLived.Contains(2), "the drain");

        await haproxy.ReloadAsync();

        Assert.That((await drain).LongLivedClosed, Is.EqualTo(2));
    }

    private async Task OpenAsync(RealHaproxy haproxy, int count)
    {
        for (var i = 0; i < count; i++) websockets.Add(await haproxy.OpenWebsocketAsync());
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("web1")).Sessions >= count, $"{count} websockets");
    }

    /// <summary>Waits until the other side has ended it.</summary>
    private static async Task EndAsync(ClientWebSocket websocket)
    {
        try
        {
            await websocket.ReceiveAsync(new byte[10], default).WaitAsync(TimeSpan.FromSeconds(20));
        }
        catch (WebSocketException)
        {
            return;
        }

        Assert.Fail("the websocket said something");
    }
}
