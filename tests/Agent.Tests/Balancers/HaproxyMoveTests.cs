using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Tests.Balancers;

/// <summary>Traffic that moves, shares of it, and the members that the agent makes for it, at a real HAProxy.</summary>
[Parallelizable(ParallelScope.All)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class HaproxyMoveTests
{
    private static readonly MemberName Shop = MemberName.Parse("shop");
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    private readonly TestMember blue = new("blue");
    private readonly TestMember green = new("green");
    private readonly RecordedReport report = new();

    private static MemberName Named(string name) => MemberName.Parse(name);

    private static MemberKey Key(string name) => new(Shop, Named(name));

    private static DrainOptions Within(double seconds) => new(TimeSpan.FromSeconds(seconds), 0);

    private static PutIn At(TestMember member, int weight = PutIn.FullWeight)
        => new(Named(member.Name), MemberAddress.Parse($"127.0.0.1:{member.Port}"), weight);

    private static BalancerMove Move(TestMember into, params string[] outOf) => new([At(into)], [.. outOf.Select(Named)]);

    [TearDown]
    public async Task StopMembers()
    {
        await blue.DisposeAsync();
        await green.DisposeAsync();
    }

    [Test]
    public async Task A_move_between_fixed_members_and_back_under_load_fails_nothing()
    {
        await using var haproxy = await RealHaproxy.StartAsync([blue, green]);
        using var balancer = haproxy.Balancer();
        await balancer.DrainAsync(Key("green"), Within(20), report, default);
        await using var traffic = new Traffic(() => haproxy.GetAsync("/late"));
        await traffic.ReachesAsync("blue");

        var there = await balancer.MoveAsync(Shop, new BalancerMove([new PutIn(Named("green"))], [Named("blue")]), Soon, report, default);
        var again = await balancer.MoveAsync(Shop, new BalancerMove([new PutIn(Named("green"))], [Named("blue")]), Soon, report, default);
        var drained = await balancer.DrainAsync(Key("blue"), Within(20), report, default);
        await traffic.ReachesAsync("green");
        var back = await balancer.MoveAsync(Shop, new BalancerMove([new PutIn(Named("blue"))], [Named("green")]), Soon, report, default);
        await traffic.ReachesAsync("blue");
        await traffic.StopAsync();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(traffic.Failures, Is.Empty);
            Assert.That((there.Unchanged, again.Unchanged, back.Unchanged), Is.EqualTo((false, true, false)));
            Assert.That(drained.SessionsLeft, Is.Zero);
        }
    }

    [Test]
    public async Task Members_that_the_agent_manages_are_made_moved_between_and_deleted_under_load()
    {
        await using var haproxy = await RealHaproxy.StartAsync([]);
        using var balancer = haproxy.Balancer(members: MemberManagement.Managed);
        Assert.That((await balancer.ReadBackendAsync(Shop, default)).MembersManaged, Is.True);
        var made = await balancer.UndrainAsync(Shop, At(blue), Soon, report, default);
        await using var traffic = new Traffic(() => haproxy.GetAsync("/late"));
        await traffic.ReachesAsync("blue");

        await balancer.MoveAsync(Shop, Move(green, "blue"), Soon, report, default);
        await balancer.DrainAsync(Key("blue"), Within(20), report, default);
        await traffic.ReachesAsync("green");
        var removed = await balancer.RemoveAsync(Key("blue"), report, default);
        var absent = await balancer.RemoveAsync(Key("blue"), report, default);
        await traffic.ReachesAsync("green");
        await traffic.StopAsync();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(traffic.Failures, Is.Empty);
            Assert.That((made.Unchanged, made.Status), Is.EqualTo((false, "UP")));
            Assert.That((removed.Unchanged, absent.Unchanged), Is.EqualTo((false, true)));
            Assert.That((await balancer.ReadBackendAsync(Shop, default)).Members.Select(m => (m.Name, m.Address)), Is.EqualTo(new[] { ("green", $"127.0.0.1:{green.Port}") }));
        }
    }

    [Test]
    public async Task A_move_whose_new_member_never_comes_up_takes_nothing_out_and_takes_the_new_one_out_again()
    {
        green.Healthy = false;
        await using var haproxy = await RealHaproxy.StartAsync([blue]);
        using var balancer = haproxy.Balancer(members: MemberManagement.Managed);
        await using var traffic = new Traffic(() => haproxy.GetAsync("/"));

        var error = await Refusal.OfAsync(balancer.MoveAsync(Shop, Move(green, "blue"), TimeSpan.FromSeconds(0.5), report, default));
        await traffic.ReachesAsync("blue");
        await traffic.StopAsync();

        using (Assert.EnterMultipleScope())
        {
            Assert.That((error.Reason, error.Code), Is.EqualTo(("MEMBER_NOT_UP", StatusCode.DeadlineExceeded)));
            Assert.That(error.Message, Does.Contain("green DOWN (L7STS"));
            Assert.That(await StatesAsync(balancer), Is.EqualTo(new[] { ("blue", MemberState.Ready), ("green", MemberState.Draining) }));
            Assert.That((traffic.Failures.Count, traffic.By("green")), Is.EqualTo((0, 0)));
        }
    }

    [Test]
    public async Task A_move_that_is_cancelled_leaves_everything_as_it_was()
    {
        green.Healthy = false;
        await using var haproxy = await RealHaproxy.StartAsync([blue, green]);
        using var balancer = haproxy.Balancer();
        await balancer.DrainAsync(Key("green"), Within(20), report, default);
        using var cancellation = new CancellationTokenSource();
        var move = balancer.MoveAsync(Shop, new BalancerMove([new PutIn(Named("green"))], [Named("blue")]), Soon, report, cancellation.Token);
        await Eventually.TrueAsync(() => report.Messages.Any(m => m.StartsWith("waiting for HAProxy's own checks", StringComparison.Ordinal)), "the wait");

        await cancellation.CancelAsync();

        Assert.That(async () => await move, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(await StatesAsync(balancer), Is.EqualTo(new[] { ("blue", MemberState.Ready), ("green", MemberState.Draining) }));
    }

    [Test]
    public async Task A_move_is_done_again_when_HAProxy_is_reloaded_in_the_middle_and_forgets_the_member_that_was_made()
    {
        green.Healthy = false;
        await using var haproxy = await RealHaproxy.StartAsync([blue]);
        using var balancer = haproxy.Balancer(members: MemberManagement.Managed);
        await using var traffic = new Traffic(() => haproxy.GetAsync("/late"));
        var move = balancer.MoveAsync(Shop, Move(green, "blue"), Soon, report, default);
        await Eventually.TrueAsync(() => report.Messages.Any(m => m.Contains("green DOWN", StringComparison.Ordinal)), "the wait");

        await haproxy.ReloadAsync();
        await Eventually.TrueAsync(() => report.Messages.Any(m => m.Contains("making it again", StringComparison.Ordinal)), "the member made again");
        green.Healthy = true;
        await move;
        await traffic.ReachesAsync("green");
        await traffic.StopAsync();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(traffic.Failures, Is.Empty);
            Assert.That(report.Messages, Has.One.StartsWith("shop/green, which the agent had made, is gone: HAProxy was reloaded or restarted"));
            Assert.That(await StatesAsync(balancer), Is.EqualTo(new[] { ("blue", MemberState.Draining), ("green", MemberState.Ready) }));
        }
    }

    [Test]
    public async Task A_drain_of_a_member_that_a_reload_forgets_waits_for_what_it_has_in_flight()
    {
        await using var haproxy = await RealHaproxy.StartAsync([]);
        using var balancer = haproxy.Balancer(members: MemberManagement.Managed);
        await balancer.UndrainAsync(Shop, At(blue), Soon, report, default);
        var slow = haproxy.GetAsync("/slow");
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("blue")).Sessions == 1, "the slow request");
        var drain = balancer.DrainAsync(Key("blue"), Within(20), report, default);
        await Eventually.TrueAsync(() => report.Sessions.Contains(1), "the drain");

        await haproxy.ReloadAsync();
        await Eventually.TrueAsync(() => report.Messages.Any(m => m.StartsWith("shop/blue is no longer there", StringComparison.Ordinal)), "a message");
        Assert.That(drain.IsCompleted, Is.False);
        blue.FinishSlow();

        Assert.That((await drain).SessionsLeft, Is.Zero);
        Assert.That(await slow, Is.EqualTo("blue"));
    }

    [Test]
    public async Task An_address_is_changed_only_while_the_member_is_out_and_is_checked_before_it_gets_requests()
    {
        await using var haproxy = await RealHaproxy.StartAsync([blue]);
        using var balancer = haproxy.Balancer(members: MemberManagement.Managed);
        green.Healthy = false;
        var moved = new PutIn(Named("blue"), MemberAddress.Parse($"localhost:{green.Port}"));

        var refused = await Refusal.OfAsync(balancer.UndrainAsync(Shop, moved, Soon, report, default));
        await balancer.DrainAsync(Key("blue"), Within(20), report, default);
        var undrain = balancer.UndrainAsync(Shop, moved, Soon, report, default);
        await Eventually.TrueAsync(() => report.Messages.Any(m => m.Contains("blue DOWN", StringComparison.Ordinal)), "the wait");
        Assert.That(await haproxy.StatusOfAsync("/"), Is.EqualTo(503));
        green.Healthy = true;
        await undrain;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(refused.Reason, Is.EqualTo("ADDRESS_DIFFERS"));
            Assert.That(refused.Message, Does.Contain("it is in rotation"));
            Assert.That(await haproxy.GetAsync("/"), Is.EqualTo("green"));
            Assert.That((await balancer.UndrainAsync(Shop, moved, Soon, report, default)).Unchanged, Is.True);
        }
    }

    [Test]
    public async Task A_fixed_member_is_not_made_not_moved_and_not_deleted()
    {
        await using var haproxy = await RealHaproxy.StartAsync([blue]);
        using var balancer = haproxy.Balancer();
        await balancer.DrainAsync(Key("blue"), Within(20), report, default);

        var absent = await Refusal.OfAsync(balancer.UndrainAsync(Shop, At(green), Soon, report, default));
        var elsewhere = await Refusal.OfAsync(
            balancer.UndrainAsync(Shop, new PutIn(Named("blue"), MemberAddress.Parse($"127.0.0.1:{green.Port}")), Soon, report, default));
        var kept = await balancer.RemoveAsync(Key("blue"), report, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(absent.Reason, Is.EqualTo("MEMBER_NOT_FOUND"));
            Assert.That(elsewhere.Reason, Is.EqualTo("ADDRESS_DIFFERS"));
            Assert.That(elsewhere.WhatNext, Does.Contain("members: managed"));
            Assert.That(kept.Unchanged, Is.True);
            Assert.That(await StatesAsync(balancer), Is.EqualTo(new[] { ("blue", MemberState.Draining) }));
        }
    }

    [Test]
    public async Task A_member_with_sessions_is_deleted_when_they_have_ended_and_one_in_rotation_is_not()
    {
        await using var haproxy = await RealHaproxy.StartAsync([]);
        using var balancer = haproxy.Balancer(members: MemberManagement.Managed);
        await balancer.UndrainAsync(Shop, At(blue), Soon, report, default);
        var inRotation = await Refusal.OfAsync(balancer.RemoveAsync(Key("blue"), report, default));
        var slow = haproxy.GetAsync("/slow");
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("blue")).Sessions == 1, "the slow request");
        await balancer.DrainAsync(Key("blue"), Within(0.1), report, default);

        using var impatient = haproxy.Balancer(new HaproxyTimings { Removal = TimeSpan.FromMilliseconds(50) }, MemberManagement.Managed);
        var busy = await Refusal.OfAsync(impatient.RemoveAsync(Key("blue"), new RecordedReport(), default));
        var removal = balancer.RemoveAsync(Key("blue"), report, default);
        await Eventually.TrueAsync(() => report.Messages.Contains("shop/blue still has 1 sessions: HAProxy deletes it when they have ended"), "a message");
        blue.FinishSlow();
        await removal;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(inRotation.Reason, Is.EqualTo("MEMBER_IN_ROTATION"));
            Assert.That(busy.Reason, Is.EqualTo("MEMBER_BUSY"));
            Assert.That(await slow, Is.EqualTo("blue"));
            Assert.That(await StatesAsync(balancer), Is.Empty);
        }
    }

    [Test]
    public async Task A_share_is_what_the_member_gets()
    {
        await using var haproxy = await RealHaproxy.StartAsync([blue]);
        using var balancer = haproxy.Balancer(members: MemberManagement.Managed);
        await balancer.UndrainAsync(Shop, At(green, weight: 25), Soon, report, default);
        var again = await balancer.UndrainAsync(Shop, At(green, weight: 25), Soon, report, default);

        for (var i = 0; i < 100; i++) await haproxy.GetAsync("/");
        var share = green.Answered;
        var shown = (await balancer.ReadBackendAsync(Shop, default)).Find(Named("green"))!.Weight;
        var full = await balancer.UndrainAsync(Shop, At(green), Soon, report, default);

        using (Assert.EnterMultipleScope())
        {
            // 25 of 125.
            Assert.That(share, Is.InRange(18, 22));
            Assert.That((shown, again.Unchanged, full.Unchanged), Is.EqualTo((25, true, false)));
            Assert.That(await haproxy.AskAsync("show servers state shop"), Does.Match($@" green 127\.0\.0\.1 2 \d+ 100 100 "));
        }
    }

    [Test]
    public async Task A_share_that_the_members_own_weight_cannot_express_is_refused_and_the_full_one_is_back()
    {
        await using var haproxy = await RealHaproxy.StartAsync([blue]);
        using var balancer = haproxy.Balancer(members: MemberManagement.Managed, options: "check inter 100ms rise 1 fall 2 weight 1");

        var error = await Refusal.OfAsync(balancer.MoveAsync(Shop, new BalancerMove([At(green, weight: 10)], []), Soon, report, default));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Reason, Is.EqualTo("WEIGHT_TOO_COARSE"));
            Assert.That(error.Message, Does.Contain("10 %").And.Contain("get 0 %"));
            Assert.That(await StatesAsync(balancer), Is.EqualTo(new[] { ("blue", MemberState.Ready), ("green", MemberState.Maintenance) }));
            Assert.That((await balancer.UndrainAsync(Shop, At(green), Soon, report, default)).Status, Is.EqualTo("UP"));
        }
    }

    [Test]
    public async Task Options_that_HAProxy_does_not_know_are_its_own_refusal()
    {
        await using var haproxy = await RealHaproxy.StartAsync([blue]);
        using var balancer = haproxy.Balancer(members: MemberManagement.Managed, options: "chekc");

        var error = await Refusal.OfAsync(balancer.UndrainAsync(Shop, At(green), Soon, report, default));

        Assert.That(error.Reason, Is.EqualTo("BALANCER_REFUSED"));
        Assert.That(error.Message, Does.Contain("unknown keyword 'chekc'"));
    }

    [Test]
    public async Task A_name_without_an_address_is_an_error()
    {
        await using var haproxy = await RealHaproxy.StartAsync([blue]);
        using var balancer = haproxy.Balancer(members: MemberManagement.Managed);

        var error = await Refusal.OfAsync(balancer.UndrainAsync(Shop, new PutIn(Named("green"), MemberAddress.Parse("nowhere.invalid:1")), Soon, report, default));

        Assert.That(error.Reason, Is.EqualTo("ADDRESS_UNKNOWN"));
    }

    [Test]
    public async Task Two_HAProxies_in_front_are_moved_one_after_the_other_without_a_failure()
    {
        await using var first = await RealHaproxy.StartAsync([blue, green]);
        await using var second = await RealHaproxy.StartAsync([blue, green]);
        using var one = first.Balancer();
        using var two = second.Balancer();
        foreach (var balancer in new[] { one, two }) await balancer.DrainAsync(Key("green"), Within(20), report, default);
        await using var atFirst = new Traffic(() => first.GetAsync("/late"), clients: 4);
        await using var atSecond = new Traffic(() => second.GetAsync("/late"), clients: 4);

        foreach (var balancer in new[] { one, two })
        {
            await balancer.MoveAsync(Shop, new BalancerMove([new PutIn(Named("green"))], [Named("blue")]), Soon, report, default);
            await balancer.DrainAsync(Key("blue"), Within(20), report, default);
        }

        await blue.DisposeAsync();
        await Task.WhenAll(atFirst.ReachesAsync("green"), atSecond.ReachesAsync("green"));
        await Task.WhenAll(atFirst.StopAsync(), atSecond.StopAsync());

        Assert.That(atFirst.Failures.Concat(atSecond.Failures), Is.Empty);
    }

    [Test]
    public async Task Answers_errors_and_response_times_are_counted_as_they_were()
    {
        green.Lateness = TimeSpan.FromMilliseconds(300);
        blue.Lateness = TimeSpan.FromMilliseconds(20);
        await using var haproxy = await RealHaproxy.StartAsync([blue, green]);
        using var balancer = haproxy.Balancer();

        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => haproxy.GetAsync("/late")));
        await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => haproxy.StatusOfAsync("/error")));
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => haproxy.GetAsync("/late")));
        var backend = await balancer.ReadBackendAsync(Shop, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(backend.CountsAnswers, Is.True);
            Assert.That(backend.Members.Select(m => (m.ResponsesTotal, m.Responses5xx)), Is.EqualTo(new[] { (40L, 20L), (40L, 20L) }));
            Assert.That((blue.Answered, green.Answered), Is.EqualTo((40, 40)));
            Assert.That(backend.Find(Named("green"))!.ResponseTimeMs, Is.InRange(100, 400));
            Assert.That(backend.Find(Named("blue"))!.ResponseTimeMs, Is.LessThan(backend.Find(Named("green"))!.ResponseTimeMs));
        }
    }

    private static async Task<IEnumerable<(string Name, MemberState State)>> StatesAsync(HaproxyBalancer balancer)
        => (await balancer.ReadBackendAsync(Shop, default)).Members.OrderBy(m => m.Name, StringComparer.Ordinal).Select(m => (m.Name, m.State));
}
