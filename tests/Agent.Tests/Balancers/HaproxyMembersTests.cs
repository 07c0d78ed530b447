using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Tests.Balancers;

/// <summary>Traffic that moves, shares of it, and members that the agent makes, at a real HAProxy.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public class HaproxyMembersTests
{
    private static readonly MemberName Shop = MemberName.Parse("shop");
    private readonly TestMember one = new("web1");
    private readonly TestMember two = new("web2");
    private readonly TestMember three = new("web3");
    private readonly RecordedReport report = new();

    [TearDown]
    public async Task StopMembers()
    {
        await one.DisposeAsync();
        await two.DisposeAsync();
        await three.DisposeAsync();
    }

    [Test]
    public async Task Traffic_moves_to_the_new_members_and_those_before_get_no_more_requests()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        await balancer.DrainAsync(Key("web2"), new DrainOptions(TimeSpan.FromSeconds(20), 0), report, default);

        await balancer.MoveAsync(Shop, new BalancerMove([new PutIn(Name("web2"))], [Name("web1")]), TimeSpan.FromSeconds(20), report, default);
        var again = await balancer.MoveAsync(Shop, new BalancerMove([new PutIn(Name("web2"))], [Name("web1")]), TimeSpan.FromSeconds(20), report, default);

        for (var i = 0; i < 6; i++) Assert.That(await haproxy.GetAsync("/"), Is.EqualTo("web2"));
        Assert.That(again.Unchanged, Is.True);
    }

    [Test]
    public async Task When_a_new_member_does_not_come_up_nothing_is_taken_out_and_it_is_out_again()
    {
        two.Healthy = false;
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();
        await balancer.DrainAsync(Key("web2"), new DrainOptions(TimeSpan.FromSeconds(20), 0), report, default);

        var error = await Refusal.OfAsync(balancer.MoveAsync(
            Shop, new BalancerMove([new PutIn(Name("web2"))], [Name("web1")]), TimeSpan.FromSeconds(0.5), report, default));
        var backend = await balancer.ReadBackendAsync(Shop, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Reason, Is.EqualTo("MEMBER_NOT_UP"));
            Assert.That(backend.Find(Name("web1"))!.State, Is.EqualTo(MemberState.Ready));
            Assert.That(backend.Find(Name("web2"))!.State, Is.EqualTo(MemberState.Draining));
            Assert.That(await haproxy.GetAsync("/"), Is.EqualTo("web1"));
        }
    }

    [Test]
    public async Task A_member_gets_the_share_that_it_is_given_and_its_answers_are_counted()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var balancer = haproxy.Balancer();

        await balancer.UndrainAsync(Shop, new PutIn(Name("web2"), Weight: 25), TimeSpan.FromSeconds(20), report, default);
        var answers = new List<string>();
        for (var i = 0; i < 50; i++) answers.Add(await haproxy.GetAsync("/"));
        var backend = await balancer.ReadBackendAsync(Shop, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(answers.Count(a => a == "web2"), Is.EqualTo(10).Within(1), "a quarter of what web1 gets");
            Assert.That(backend.Find(Name("web2"))!.Weight, Is.EqualTo(25));
            Assert.That(backend.CountsAnswers, Is.True);
            Assert.That(backend.Members.Sum(m => m.ResponsesTotal), Is.EqualTo(50));
        }
    }

    [Test]
    public async Task A_share_that_the_weights_cannot_tell_is_refused_and_the_member_keeps_its_full_share()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two], server: "check inter 100ms rise 1 fall 2 weight 1 #");
        using var balancer = haproxy.Balancer();

        var error = await Refusal.OfAsync(balancer.UndrainAsync(Shop, new PutIn(Name("web2"), Weight: 10), TimeSpan.FromSeconds(20), report, default));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Reason, Is.EqualTo("WEIGHT_TOO_COARSE"));
            Assert.That(error.WhatNext, Does.Contain("weight 100"));
            Assert.That((await balancer.ReadBackendAsync(Shop, default)).Find(Name("web2"))!.Weight, Is.EqualTo(100));
        }
    }

    [Test]
    public async Task A_member_that_is_missing_is_made_where_the_agent_manages_them_and_deleted_again()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one]);
        using var balancer = haproxy.Balancer(members: MemberManagement.Managed);
        var address = MemberAddress.Parse($"127.0.0.1:{three.Port}");

        await balancer.UndrainAsync(Shop, new PutIn(Name("web3"), address), TimeSpan.FromSeconds(20), report, default);
        var answers = new HashSet<string>();
        for (var i = 0; i < 4; i++) answers.Add(await haproxy.GetAsync("/"));
        var inRotation = await Refusal.OfAsync(balancer.RemoveAsync(Key("web3"), report, default));
        await balancer.DrainAsync(Key("web3"), new DrainOptions(TimeSpan.FromSeconds(20), 0), report, default);
        await balancer.RemoveAsync(Key("web3"), report, default);
        var backend = await balancer.ReadBackendAsync(Shop, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(answers, Is.EquivalentTo(new[] { "web1", "web3" }));
            Assert.That(inRotation.Reason, Is.EqualTo("MEMBER_IN_ROTATION"));
            Assert.That(backend.Members.Select(m => m.Name), Is.EqualTo(new[] { "web1" }));
            Assert.That(backend.MembersManaged, Is.True);
            Assert.That((await balancer.RemoveAsync(Key("web3"), report, default)).Unchanged, Is.True);
        }
    }

    [Test]
    public async Task An_address_is_changed_only_while_the_member_is_out_and_only_where_the_agent_may()
    {
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        using var managed = haproxy.Balancer(members: MemberManagement.Managed);
        using var @fixed = haproxy.Balancer();
        var elsewhere = new PutIn(Name("web2"), MemberAddress.Parse($"127.0.0.1:{three.Port}"));

        var inRotation = await Refusal.OfAsync(managed.UndrainAsync(Shop, elsewhere, TimeSpan.FromSeconds(20), report, default));
        await managed.DrainAsync(Key("web2"), new DrainOptions(TimeSpan.FromSeconds(20), 0), report, default);
        var notAllowed = await Refusal.OfAsync(@fixed.UndrainAsync(Shop, elsewhere, TimeSpan.FromSeconds(20), report, default));
        await managed.UndrainAsync(Shop, elsewhere, TimeSpan.FromSeconds(20), report, default);
        var answers = new HashSet<string>();
        for (var i = 0; i < 4; i++) answers.Add(await haproxy.GetAsync("/"));

        using (Assert.EnterMultipleScope())
        {
            Assert.That((inRotation.Reason, notAllowed.Reason), Is.EqualTo(("ADDRESS_DIFFERS", "ADDRESS_DIFFERS")));
            Assert.That(notAllowed.WhatNext, Does.Contain("members: managed"));
            Assert.That(answers, Is.EquivalentTo(new[] { "web1", "web3" }));
        }
    }

    private static MemberName Name(string name) => MemberName.Parse(name);

    private static MemberKey Key(string member) => new(Shop, Name(member));
}
