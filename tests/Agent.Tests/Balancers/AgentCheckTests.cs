using System.Net;
using System.Net.Sockets;
using System.Text;
using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Agent.Instances;
using Decant.Agent.State;
using Decant.Names;
using Microsoft.Extensions.Logging.Abstractions;

namespace Decant.Agent.Tests.Balancers;

/// <summary>HAProxies that ask, real ones and sockets that speak as they do.</summary>
[Parallelizable(ParallelScope.All)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class AgentCheckTests
{
    private static readonly MemberName Shop = MemberName.Parse("shop");
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    private readonly TestMember blue = new("blue");
    private readonly TestMember green = new("green");
    private readonly RecordedReport report = new();
    private readonly TemporaryDirectory directory = new();
    private readonly Dictionary<string, string> down = [];
    private AgentDatabase database;
    private AgentCheckDesk desk;
    private AgentCheckListener listener;
    private AgentCheckBalancer balancer;

    public AgentCheckTests()
    {
        database = AgentDatabase.Open(directory["agent.db"]);
        (desk, listener, balancer) = Open();
    }

    private int Port => listener.Endpoint!.Port;

    [SetUp]
    public Task Listen() => listener.StartAsync(default);

    [TearDown]
    public async Task Stop()
    {
        await CloseAsync();
        await blue.DisposeAsync();
        await green.DisposeAsync();
        directory.Dispose();
    }

    [Test]
    public async Task A_HAProxy_that_only_asks_is_drained_and_put_in_again_under_load_without_a_failure()
    {
        await using var haproxy = await StartAsync();
        await using var traffic = new Traffic(() => haproxy.GetAsync("/late"));
        await Task.WhenAll(traffic.ReachesAsync("blue"), traffic.ReachesAsync("green"));

        foreach (var (member, other) in new[] { (blue, green), (green, blue) })
        {
            var drained = await balancer.DrainAsync(Key(member.Name), Within(60, others: 1), report, default);
            Assert.That(drained.SessionsLeft, Is.Zero);
            var answered = member.Answered;
            await traffic.ReachesAsync(other.Name);
            Assert.That(member.Answered, Is.EqualTo(answered));
            await balancer.UndrainAsync(Shop, new PutIn(Named(member.Name)), Soon, report, default);
            await traffic.ReachesAsync(member.Name);
        }

        await traffic.StopAsync();
        Assert.That(traffic.Failures, Is.Empty);
    }

    [Test]
    public async Task A_drain_waits_for_the_request_in_flight_and_says_what_is_left_at_its_deadline()
    {
        await using var haproxy = await StartAsync();
        await balancer.DrainAsync(Key("green"), Within(60), report, default);
        var slow = haproxy.GetAsync("/slow");
        await Eventually.TrueAsync(async () => (await haproxy.ReadAsync("blue")).Sessions == 1, "the slow request");

        var given = await balancer.DrainAsync(Key("blue"), Within(0.7), report, default);
        var drain = balancer.DrainAsync(Key("blue"), Within(60), report, default);
        blue.FinishSlow();

        Assert.That(given.SessionsLeft, Is.GreaterThanOrEqualTo(1));
        Assert.That((await drain).SessionsLeft, Is.Zero);
        Assert.That(await slow, Is.EqualTo("blue"));
    }

    [Test]
    public async Task A_move_and_its_shares_reach_a_HAProxy_that_only_asks()
    {
        await using var haproxy = await StartAsync();
        await balancer.DrainAsync(Key("green"), Within(60), report, default);

        var moved = await balancer.MoveAsync(Shop, new BalancerMove([new PutIn(Named("green"), Weight: 25)], [Named("blue")]), Soon, report, default);
        var again = await balancer.MoveAsync(Shop, new BalancerMove([new PutIn(Named("green"), Weight: 25)], [Named("blue")]), Soon, report, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(await haproxy.GetAsync("/"), Is.EqualTo("green"));
            Assert.That((moved.Unchanged, again.Unchanged), Is.EqualTo((false, true)));
            Assert.That(await haproxy.AskAsync("show servers state shop"), Does.Match(@" green 127\.0\.0\.1 2 \d+ 25 100 "));
        }
    }

    [Test]
    public async Task A_move_to_an_instance_that_does_not_serve_changes_nothing()
    {
        await using var haproxy = await StartAsync();
        await balancer.DrainAsync(Key("green"), Within(60), report, default);
        down["green"] = "unhealthy";

        var error = await Refusal.OfAsync(balancer.MoveAsync(
            Shop, new BalancerMove([new PutIn(Named("green"))], [Named("blue")]), TimeSpan.FromSeconds(0.7), report, default));

        Assert.That(error.Reason, Is.EqualTo("MEMBER_NOT_UP"));
        Assert.That(error.Message, Does.Contain("down #unhealthy"));
        Assert.That(
            (await balancer.ReadBackendAsync(Shop, default)).Members.Select(m => m.State), Is.EqualTo(new[] { MemberState.Ready, MemberState.Draining }));
    }

    [Test]
    public async Task When_nobody_asks_nothing_is_taken_to_be_drained()
    {
        var read = await Refusal.OfAsync(balancer.ReadBackendAsync(Shop, default));
        var drain = await Refusal.OfAsync(balancer.DrainAsync(Key("blue"), Within(0.3), report, default));
        var undrain = await Refusal.OfAsync(balancer.UndrainAsync(Shop, new PutIn(Named("blue")), TimeSpan.FromSeconds(0.3), report, default));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(new[] { read.Reason, drain.Reason, undrain.Reason }, Is.All.EqualTo("BALANCER_UNREACHABLE"));
            Assert.That(drain.Message, Does.Contain("no HAProxy asks for shop/blue"));
            Assert.That(await AskAsync("shop/blue"), Is.EqualTo("ready up 100%\n"), "a drain that nobody heard of leaves the member in");
        }
    }

    [Test]
    public async Task Every_HAProxy_that_asked_lately_must_have_asked_again_before_a_member_is_out()
    {
        Assert.That(await AskAsync("shop/blue edge1"), Is.EqualTo("ready up 100%\n"));
        Assert.That(await AskAsync("shop/blue edge2"), Is.EqualTo("ready up 100%\n"));
        await Eventually.TrueAsync(() => desk.Askers(Slot("blue")).Count == 2, "both asked");
        var drain = balancer.DrainAsync(Key("blue"), Within(20), report, default);
        await Eventually.TrueAsync(async () => await AskAsync("shop/blue edge1") == "drain\n", "the drain");
        await Eventually.TrueAsync(() => desk.Askers(Slot("blue")).Count(a => a.Knows) == 1, "edge1 told");

        Assert.That(drain.IsCompleted, Is.False);
        var silent = await Refusal.OfAsync(balancer.DrainAsync(Key("blue"), Within(0.3), report, default));
        await AskAsync("shop/blue edge2");

        Assert.That(silent.Message, Does.Match("127.0.0.1 edge2 has not asked for shop/blue within [0-9.]+ s"));
        Assert.That((await drain).SessionsLeft, Is.Zero);
    }

    [Test]
    public async Task What_was_said_and_who_asked_survives_the_agent()
    {
        await AskAndArriveAsync("shop/blue");
        var drain = balancer.DrainAsync(Key("blue"), Within(20), report, default);
        await Eventually.TrueAsync(async () => await AskAsync("shop/blue") == "drain\n", "the drain");
        await drain;

        await RestartAsync();

        // The HAProxy that asked the agent before has not asked this one yet: nothing is known of it.
        var unknown = await Refusal.OfAsync(balancer.DrainAsync(Key("blue"), Within(0.2), report, default));
        Assert.That(unknown.Message, Does.Contain("127.0.0.1 has not asked"));
        Assert.That(await AskAsync("shop/blue"), Is.EqualTo("drain\n"));
        await Eventually.TrueAsync(() => desk.Askers(Slot("blue")).All(a => a.Knows), "it has asked again");
        Assert.That((await balancer.DrainAsync(Key("blue"), Within(20), report, default)).Unchanged, Is.True);
    }

    [Test]
    public async Task Addresses_that_agent_yml_names_must_have_asked_and_others_get_no_answer()
    {
        await RestartAsync(IPAddress.Parse("127.0.0.9"));

        Assert.That(await AskAsync("shop/blue"), Is.Empty);
        var error = await Refusal.OfAsync(balancer.DrainAsync(Key("blue"), Within(0.2), report, default));

        Assert.That(error.Message, Does.Contain("127.0.0.9 has not asked for shop/blue"));
    }

    [Test]
    public async Task Instances_that_do_not_serve_are_down_with_the_reason_unless_they_drain()
    {
        down["blue"] = "it ended and waits for its restart";

        Assert.That(await AskAsync("shop/blue"), Is.EqualTo("down #it ended and waits for its restart\n"));
        Assert.That(await AskAsync("shop/red"), Is.EqualTo("down #nothing was started here yet\n"));
        desk.Set(Slot("blue"), MemberState.Draining, 100);
        Assert.That(await AskAsync("shop/blue"), Is.EqualTo("drain\n"));
        desk.Set(Slot("blue"), MemberState.Maintenance, 100);
        Assert.That(await AskAsync("shop/blue"), Is.EqualTo("maint\n"));
    }

    [TestCase("")]
    [TestCase("shop")]
    [TestCase("shop/../etc")]
    [TestCase("shop/blue edge1 more")]
    [TestCase("GET / HTTP/1.1")]
    public async Task What_is_no_question_gets_no_answer(string line)
    {
        Assert.That(await AskAsync(line), Is.Empty);
        Assert.That(await AskAsync("shop/blue"), Is.Not.Empty);
    }

    [Test]
    public async Task A_question_without_end_gets_no_answer_and_names_that_are_not_there_are_errors()
    {
        Assert.That(await AskAsync(new string('x', 100_000)), Is.Empty);
        await AskAndArriveAsync("shop/blue");
        var member = await Refusal.OfAsync(balancer.DrainAsync(Key("red"), Within(0.2), report, default));
        var backend = await Refusal.OfAsync(balancer.ReadBackendAsync(MemberName.Parse("shoop"), default));

        Assert.That((member.Reason, backend.Reason), Is.EqualTo(("MEMBER_NOT_FOUND", "BACKEND_NOT_FOUND")));
        Assert.That(member.Message, Does.EndWith("there are: blue, green"));
    }

    [Test]
    public void Whoever_invents_names_gets_no_answer_after_a_while_and_those_who_asked_before_do()
    {
        for (var i = 0; i < AgentCheckDesk.MaxAskers; i++) desk.Ask(Slot("blue"), $"10.0.0.1 {i}")!.Value.Arrived();

        Assert.That(desk.Ask(Slot("blue"), "10.0.0.1 new"), Is.Null);
        Assert.That(desk.Ask(Slot("blue"), "10.0.0.1 0"), Is.Not.Null);
    }

    [Test]
    public async Task A_drain_that_would_leave_too_few_is_refused_and_what_is_asked_cannot_be_deleted()
    {
        down["green"] = "starting";
        await AskAndArriveAsync("shop/blue");
        var few = await Refusal.OfAsync(balancer.DrainAsync(Key("blue"), Within(0.2, others: 1), report, default));
        var inRotation = await Refusal.OfAsync(balancer.RemoveAsync(Key("blue"), report, default));

        Assert.That((few.Reason, inRotation.Reason), Is.EqualTo(("TOO_FEW_IN_ROTATION", "MEMBER_IN_ROTATION")));
        Assert.That(few.Message, Does.Contain("green down #starting"));
        Assert.That(await AskAsync("shop/blue"), Is.EqualTo("ready up 100%\n"));
    }

    private static MemberName Named(string name) => MemberName.Parse(name);

    private static MemberKey Key(string slot) => new(Shop, Named(slot));

    private static InstanceKey Slot(string slot) => new(AppName.Parse("shop"), SlotName.Parse(slot));

    private static DrainOptions Within(double seconds, int others = 0) => new(TimeSpan.FromSeconds(seconds), others);

    private Task<RealHaproxy> StartAsync() => RealHaproxy.StartAsync(
        [blue, green],
        // Less than a quarter of inter: HAProxy takes its own check for a use, and keeps as many idle connections as were used of late.
        server: "check inter 200ms rise 1 fall 2 pool-purge-delay 40ms",
        each: m => $"agent-check agent-inter 100ms agent-addr 127.0.0.1 agent-port {Port} agent-send \"shop/{m.Name}\\n\"");

    private (AgentCheckDesk Desk, AgentCheckListener Listener, AgentCheckBalancer Balancer) Open(params IPAddress[] from)
    {
        var opened = new AgentCheckDesk(new AgentCheckStore(database), Slots, from, TimeProvider.System);
        return (
            opened,
            new AgentCheckListener(new AgentCheckSettings(IPEndPoint.Parse("127.0.0.1:0"), from), opened, NullLogger<AgentCheckListener>.Instance),
            new AgentCheckBalancer(BalancerName.Parse("asked"), opened, new AgentCheckTimings(), TimeProvider.System));
    }

    private IReadOnlyList<CheckedSlot> Slots()
        => [.. new[] { blue, green }.Select(m => new CheckedSlot(Slot(m.Name), m.Port, down.GetValueOrDefault(m.Name)))];

    private async Task RestartAsync(params IPAddress[] from)
    {
        await CloseAsync();
        database = AgentDatabase.Open(directory["agent.db"]);
        (desk, listener, balancer) = Open(from);
        await listener.StartAsync(default);
    }

    private async Task CloseAsync()
    {
        await listener.StopAsync(default);
        listener.Dispose();
        balancer.Dispose();
        database.Dispose();
    }

    /// <summary>Asks as HAProxy does; answers with nothing when there is no answer.</summary>
    /// <summary>The agent counts somebody only when the answer has arrived, which is after whoever asked has read it.</summary>
    private async Task AskAndArriveAsync(string line)
    {
        await AskAsync(line);
        await Eventually.TrueAsync(() => desk.Askers(Slot("blue")).Count > 0, "the answer to be counted");
    }

    private async Task<string> AskAsync(string line)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, Port);
        var stream = client.GetStream();
        try
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(line + "\n"));
            using var reader = new StreamReader(stream);
            return await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(20));
        }
        catch (IOException)
        {
            // Closed with what was sent unread.
            return "";
        }
    }
}
