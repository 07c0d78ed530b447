using System.Net;
using System.Net.Sockets;
using Decant.Agent.Balancers;
using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Tests.Balancers;

/// <summary>What every kind of balancer owes whoever drives it, at its real program.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[Parallelizable(ParallelScope.Self)]
public abstract class BalancerContractTests
{
    private static readonly MemberName Shop = MemberName.Parse("shop");
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(20);
    private readonly TestMember one = new("web1");
    private readonly TestMember two = new("web2");
    private readonly TestMember three = new("web3");
    private readonly RecordedReport report = new();
    private IRealBalancer real = null!;
    private IBalancer balancer = null!;

    /// <summary>Starts the program with backend <c>shop</c> of these members, all in rotation, by turns.</summary>
    private protected abstract Task<IRealBalancer> StartAsync(IReadOnlyList<TestMember> members);

    [SetUp]
    public async Task Start()
    {
        real = await StartAsync([one, two]);
        balancer = real.Open();
    }

    [TearDown]
    public async Task Stop()
    {
        (balancer as IDisposable)?.Dispose();
        if (real is not null) await real.DisposeAsync();
        foreach (var member in new[] { one, two, three }) await member.DisposeAsync();
    }

    [Test]
    public async Task It_says_who_it_is_and_whom_it_has()
    {
        var backend = await balancer.ReadBackendAsync(Shop, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(await balancer.ReadVersionAsync(default), Does.Match(@"^\d"));
            Assert.That(await balancer.ListBackendsAsync(default), Does.Contain("shop"));
            Assert.That(backend.Members.Select(m => m.Name), Is.EqualTo(new[] { "web1", "web2" }));
            Assert.That(backend.Members.Select(m => m.Address), Is.EqualTo(new[] { $"127.0.0.1:{one.Port}", $"127.0.0.1:{two.Port}" }));
            Assert.That(backend.Members.Select(m => m.State), Is.All.EqualTo(MemberState.Ready));
            Assert.That(backend.Members.Select(m => m.Weight), Is.All.EqualTo(100));
            Assert.That(backend.MembersManaged, Is.True);
        }
    }

    [Test]
    public async Task A_drain_lets_what_is_in_flight_finish_while_new_requests_go_elsewhere_and_none_fails()
    {
        await using var load = new TestLoad(real);
        var slow = await SlowAtOneAsync();

        var drain = DrainAsync("web1", Long);
        await Eventually.TrueAsync(() => report.Sessions.Any(s => s > 0), "sessions of the draining member");
        var before = load.Answers.Count;
        await load.MoreAsync(50);
        Assert.That(drain.IsCompleted, Is.False);
        Assert.That((await balancer.ReadBackendAsync(Shop, default)).Find(Name("web1"))!.State, Is.EqualTo(MemberState.Draining));
        one.FinishSlow();
        var drained = await drain;
        await load.StopAsync();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(drained.SessionsLeft, Is.Zero);
            Assert.That(drained.Unchanged, Is.False);
            Assert.That(load.Failures, Is.Empty);
            // Four answers may have been on their way to the account.
            Assert.That(load.Answers.Skip(before + 4), Is.All.EqualTo("web2"));
            Assert.That(await Task.WhenAll(slow), Does.Contain("web1"));
        }
    }

    [Test]
    public async Task A_drain_whose_deadline_passes_says_how_many_sessions_are_left()
    {
        var slow = await SlowAtOneAsync();

        var drained = await DrainAsync("web1", TimeSpan.FromSeconds(0.5));
        one.FinishSlow();

        Assert.That(drained.SessionsLeft, Is.EqualTo(1));
        Assert.That(await Task.WhenAll(slow), Does.Contain("web1"));
    }

    [Test]
    public async Task What_is_so_already_is_not_changed_again()
    {
        await DrainAsync("web1", Long);
        var drained = await DrainAsync("web1", Long, others: 5);
        await PutInAsync(new PutIn(Name("web1")));
        var putIn = await PutInAsync(new PutIn(Name("web1")));
        await balancer.MaintenanceAsync(Key("web1"), report, default);
        var maintained = await balancer.MaintenanceAsync(Key("web1"), report, default);
        var inMaintenance = await DrainAsync("web1", Long);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(drained.Unchanged, Is.True);
            Assert.That(putIn.Unchanged, Is.True);
            Assert.That(maintained.Unchanged, Is.True);
            Assert.That(inMaintenance.Unchanged, Is.True);
            Assert.That((await balancer.ReadBackendAsync(Shop, default)).Find(Name("web1"))!.State, Is.EqualTo(MemberState.Maintenance));
            Assert.That(await real.GetAsync("/"), Is.EqualTo("web2"));
        }
    }

    [Test]
    public async Task Names_that_it_does_not_have_are_refused_with_those_that_it_has()
    {
        var backend = await Refusal.OfAsync(balancer.ReadBackendAsync(Name("shops"), default));
        var member = await Refusal.OfAsync(DrainAsync("web9", Long));
        var into = await Refusal.OfAsync(PutInAsync(new PutIn(Name("web9"))));
        var outOf = await Refusal.OfAsync(balancer.MoveAsync(Shop, new BalancerMove([new PutIn(Name("web1"))], [Name("web9")]), Long, report, default));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(backend.Reason, Is.EqualTo("BACKEND_NOT_FOUND"));
            Assert.That(backend.Message, Does.Contain("shop"));
            foreach (var error in new[] { member, into, outOf })
            {
                Assert.That(error.Reason, Is.EqualTo("MEMBER_NOT_FOUND"));
                Assert.That(error.Message, Does.Contain("web1, web2"));
            }
        }
    }

    [Test]
    public async Task Traffic_moves_to_a_new_member_and_no_request_fails()
    {
        await using var load = new TestLoad(real);
        await load.MoreAsync(20);

        var move = new BalancerMove([At(three)], [Name("web1"), Name("web2")]);
        var moved = await balancer.MoveAsync(Shop, move, Long, report, default);
        await DrainAsync("web1", Long);
        await DrainAsync("web2", Long);
        var before = load.Answers.Count;
        await load.MoreAsync(50);
        await load.StopAsync();
        var again = await balancer.MoveAsync(Shop, move, Long, report, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(load.Failures, Is.Empty);
            Assert.That(load.Answers.Skip(before + 4), Is.All.EqualTo("web3"));
            Assert.That(moved.Unchanged, Is.False);
            Assert.That(again.Unchanged, Is.True);
        }
    }

    [Test]
    public async Task When_a_new_member_does_not_come_up_nothing_is_taken_out()
    {
        // A port that is taken, on which nobody listens.
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var gone = new PutIn(Name("web3"), MemberAddress.Parse(silent.LocalEndPoint!.ToString()));

        var error = await Refusal.OfAsync(balancer.MoveAsync(Shop, new BalancerMove([gone], [Name("web1")]), TimeSpan.FromSeconds(0.5), report, default));
        var answers = await AnswersAsync(10);

        Assert.That(error.Reason, Is.EqualTo("MEMBER_NOT_UP"));
        Assert.That(answers, Is.All.AnyOf("web1", "web2"));
        Assert.That(answers, Does.Contain("web1"));
    }

    [Test]
    public async Task A_member_gets_about_the_share_that_it_is_given()
    {
        await DrainAsync("web2", Long);
        await PutInAsync(new PutIn(Name("web2"), Weight: 25));
        var answers = await AnswersAsync(100);
        var weight = (await balancer.ReadBackendAsync(Shop, default)).Find(Name("web2"))!.Weight;
        await PutInAsync(new PutIn(Name("web2")));
        var even = await AnswersAsync(100);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(weight, Is.EqualTo(25));
            Assert.That(answers.Count(a => a == "web2"), Is.EqualTo(20).Within(6));
            Assert.That(even.Count(a => a == "web2"), Is.EqualTo(50).Within(6));
        }
    }

    [Test]
    public async Task A_member_that_is_out_gets_another_address_and_one_in_rotation_does_not()
    {
        var elsewhere = new PutIn(Name("web1"), MemberAddress.Parse($"127.0.0.1:{three.Port}"));

        var inRotation = await Refusal.OfAsync(PutInAsync(elsewhere));
        await DrainAsync("web1", Long);
        await PutInAsync(elsewhere);

        Assert.That(inRotation.Reason, Is.EqualTo("ADDRESS_DIFFERS"));
        Assert.That(await AnswersAsync(10), Does.Contain("web3").And.Not.Contain("web1"));
    }

    [Test]
    public async Task A_member_that_is_out_can_be_removed_and_one_in_rotation_cannot()
    {
        await PutInAsync(At(three));
        var inRotation = await Refusal.OfAsync(balancer.RemoveAsync(Key("web3"), report, default));
        await DrainAsync("web3", Long);
        var removed = await balancer.RemoveAsync(Key("web3"), report, default);
        var again = await balancer.RemoveAsync(Key("web3"), report, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(inRotation.Reason, Is.EqualTo("MEMBER_IN_ROTATION"));
            Assert.That(removed.Unchanged, Is.False);
            Assert.That(again.Unchanged, Is.True);
            Assert.That((await balancer.ReadBackendAsync(Shop, default)).Members.Select(m => m.Name), Is.EquivalentTo(new[] { "web1", "web2" }));
        }
    }

    [Test]
    public async Task Of_two_drains_at_once_that_each_want_the_other_up_only_one_is_done()
    {
        var drains = await Task.WhenAll(
            new[] { "web1", "web2" }.Select(async member =>
            {
                try
                {
                    await DrainAsync(member, TimeSpan.FromSeconds(1), others: 1);
                    return "drained";
                }
                catch (OperatorException exception)
                {
                    return exception.Error.Reason;
                }
            }));

        Assert.That(drains, Is.EquivalentTo(new[] { "drained", "TOO_FEW_IN_ROTATION" }));
    }

    [Test]
    public async Task Changes_at_the_same_time_by_two_agents_are_all_done()
    {
        var other = real.Open();
        try
        {
            await Task.WhenAll(
                balancer.MaintenanceAsync(Key("web1"), report, default),
                other.UndrainAsync(Shop, At(three), Long, report, default),
                other.UndrainAsync(Shop, new PutIn(Name("web2"), Weight: 50), Long, report, default));
            var backend = await balancer.ReadBackendAsync(Shop, default);

            using (Assert.EnterMultipleScope())
            {
                Assert.That(backend.Find(Name("web1"))!.State, Is.EqualTo(MemberState.Maintenance));
                Assert.That(backend.Find(Name("web2"))!.Weight, Is.EqualTo(50));
                Assert.That(backend.Find(Name("web3"))!.State, Is.EqualTo(MemberState.Ready));
            }
        }
        finally
        {
            (other as IDisposable)?.Dispose();
        }
    }

    [Test]
    public async Task A_drain_survives_that_the_balancer_is_reloaded()
    {
        var slow = await SlowAtOneAsync();
        var drain = DrainAsync("web1", Long);
        await Eventually.TrueAsync(() => report.Sessions.Any(s => s > 0), "sessions of the draining member");

        await real.ReloadAsync();
        one.FinishSlow();
        var drained = await drain;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(drained.SessionsLeft, Is.Zero);
            Assert.That(await Task.WhenAll(slow), Does.Contain("web1"));
            Assert.That(await AnswersAsync(10), Is.All.EqualTo("web2"));
        }
    }

    [Test]
    public async Task A_balancer_that_is_killed_while_it_drains_is_unreachable_and_nothing_is_called_drained()
    {
        await SlowAtOneAsync();
        var drain = DrainAsync("web1", Long);
        await Eventually.TrueAsync(() => report.Sessions.Any(s => s > 0), "sessions of the draining member");

        await real.KillAsync();
        var error = await Refusal.OfAsync(drain);

        Assert.That(error.Reason, Is.EqualTo("BALANCER_UNREACHABLE"));
        Assert.That(error.Message, Does.Contain("nothing is known of its members now"));
    }

    [Test]
    public async Task A_balancer_that_does_not_run_is_unreachable()
    {
        await real.KillAsync();

        var errors = new[]
        {
            await Refusal.OfAsync(balancer.ReadVersionAsync(default)),
            await Refusal.OfAsync(balancer.ReadBackendAsync(Shop, default)),
            await Refusal.OfAsync(DrainAsync("web1", Long)),
            await Refusal.OfAsync(PutInAsync(new PutIn(Name("web1")))),
            await Refusal.OfAsync(balancer.MaintenanceAsync(Key("web1"), report, default)),
        };

        Assert.That(errors.Select(e => e.Reason), Is.All.EqualTo("BALANCER_UNREACHABLE"));
    }

    private static MemberName Name(string member) => MemberName.Parse(member);

    private static MemberKey Key(string member) => new(Shop, Name(member));

    private static PutIn At(TestMember member) => new(Name(member.Name), MemberAddress.Parse($"127.0.0.1:{member.Port}"));

    private Task<Drained> DrainAsync(string member, TimeSpan deadline, int others = 0)
        => balancer.DrainAsync(Key(member), new DrainOptions(deadline, others), report, default);

    private Task<Undrained> PutInAsync(PutIn member) => balancer.UndrainAsync(Shop, member, Long, report, default);

    /// <summary>Asks for slow answers until one is being made by web1; the others answer at once.</summary>
    private async Task<IReadOnlyList<Task<string>>> SlowAtOneAsync()
    {
        two.FinishSlow();
        three.FinishSlow();
        var asked = new List<Task<string>>();
        while (!one.SlowArrived.IsCompleted)
        {
            asked.Add(real.GetAsync("/slow"));
            await Task.WhenAny(asked[^1], one.SlowArrived);
        }

        return asked;
    }

    private async Task<IReadOnlyList<string>> AnswersAsync(int count)
    {
        var answers = new List<string>();
        for (var i = 0; i < count; i++) answers.Add(await real.GetAsync("/"));
        return answers;
    }
}

[TestFixture]
public class HaproxyContractTests : BalancerContractTests
{
    private protected override async Task<IRealBalancer> StartAsync(IReadOnlyList<TestMember> members) => await RealHaproxy.StartAsync(members);
}

[TestFixture]
public class NginxContractTests : BalancerContractTests
{
    private protected override async Task<IRealBalancer> StartAsync(IReadOnlyList<TestMember> members) => await RealNginx.StartAsync(members);
}

[TestFixture]
public class CaddyContractTests : BalancerContractTests
{
    private protected override async Task<IRealBalancer> StartAsync(IReadOnlyList<TestMember> members) => await RealCaddy.StartAsync(members);
}
