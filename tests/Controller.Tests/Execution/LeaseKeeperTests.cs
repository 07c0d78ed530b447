using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;
using Microsoft.Extensions.Time.Testing;

namespace Decant.Controller.Tests.Execution;

/// <summary>How a deployment holds its leases, against agents that do with them what leases.proto says.</summary>
public class LeaseKeeperTests
{
    private static readonly AgentAddress[] Agents = [.. new[] { "web1:7420", "web2:7420", "lb1:7420" }.Select(AgentAddress.Parse)];
    private static readonly AppName App = AppName.Parse("shop");
    private static readonly LeaseTimings Timings = new();

    private static readonly LeaseTimings NoPatience = Timings with { Patience = TimeSpan.Zero };

    private readonly FakeTimeProvider time = new();
    private readonly List<string> told = [];
    private ScriptedLeases leases = null!;

    [SetUp]
    public void Begin()
    {
        leases = new ScriptedLeases(time);
        told.Clear();
    }

    [Test]
    public async Task All_leases_are_taken_in_a_fixed_order_and_given_back_at_the_end()
    {
        await using (await TakeAsync("a", Agents.Reverse().Append(Agents[0])))
        {
            Assert.That(leases.Asked, Is.EqualTo(new[] { "lb1:7420", "web1:7420", "web2:7420" }));
            Assert.That(Agents.Select(leases.HolderAt), Is.All.EqualTo("a"));
        }

        Assert.That(Agents.Select(leases.HolderAt), Is.All.Null);
    }

    [Test]
    public async Task One_lease_that_somebody_holds_refuses_all_and_those_that_were_taken_are_given_back()
    {
        leases.Give(Agents[1], "other");

        var refused = await RefusedAsync("a");

        Assert.That(refused.Reason, Is.EqualTo("LEASE_HELD"));
        Assert.That(refused.Message, Does.Contain("other"));
        Assert.That(ExitCodes.Of(refused), Is.EqualTo(ExitCode.Refused));
        Assert.That(Agents.Select(leases.HolderAt), Is.EqualTo(new[] { null, "other", null }));
    }

    [Test]
    public async Task A_lease_of_a_holder_that_is_known_to_be_dead_is_taken_away_on_record()
    {
        leases.Give(Agents[1], "dead");

        await using var keeper = await TakeAsync("a", Agents);

        Assert.That(leases.HolderAt(Agents[1]), Is.EqualTo("a"));
        Assert.That(leases.Unlockings.Single(), Is.EqualTo("web2:7420: alice on ops1 (pid 1): its controller, pid 7, is dead; deploying shop"));
    }

    [Test]
    public async Task An_agent_that_does_not_answer_refuses_all_unless_its_host_has_left()
    {
        leases.Silent.Add(Agents[1]);

        Assert.That((await RefusedAsync("a")).Code, Is.EqualTo(StatusCode.Unavailable));
        await using var keeper = await LeaseKeeper.TakeAsync(leases, Wanted("a"), [Agents[0]], [Agents[1]], IsDead, NoPatience, (_, _) => { }, time, default);

        Assert.That(leases.HolderAt(Agents[0]), Is.EqualTo("a"));
    }

    [Test]
    public async Task An_agent_that_dies_while_its_lease_is_taken_is_asked_again_until_it_has_started()
    {
        leases.Silent.Add(Agents[1]);
        var taking = LeaseKeeper.TakeAsync(
            leases, Wanted("a"), Agents, [], IsDead, Timings, (agent, why) => told.Add($"{agent}: {why}"), time, default);
        time.Advance(TimeSpan.FromMilliseconds(200));
        time.Advance(TimeSpan.FromMilliseconds(400));
        Assert.That(taking.IsCompleted, Is.False);

        leases.Silent.Clear();
        time.Advance(TimeSpan.FromMilliseconds(800));
        await using var keeper = await taking;

        Assert.That(Agents.Select(leases.HolderAt), Is.All.EqualTo("a"));
        Assert.That(told.Single(), Does.StartWith("web2:7420: ").And.EndsWith("; asking again, for 7 s at most"));
    }

    [Test]
    public async Task An_agent_that_does_not_come_back_in_time_refuses_all_and_the_others_leases_are_given_back()
    {
        leases.Silent.Add(Agents[1]);
        var taking = LeaseKeeper.TakeAsync(leases, Wanted("a"), Agents, [], IsDead, Timings, (_, _) => { }, time, default);

        for (var waited = TimeSpan.Zero; waited < Timings.Patience; waited += TimeSpan.FromMilliseconds(200)) time.Advance(TimeSpan.FromMilliseconds(200));

        Assert.That((await Assert.ThrowsAsync<OperatorException>(async () => await taking))!.Error.Code, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(Agents.Select(leases.HolderAt), Is.All.Null);
    }

    [Test]
    public async Task One_who_waits_for_a_lease_is_told_what_for()
    {
        leases.Slow = new TaskCompletionSource();
        var taking = TakeAsync("a", [Agents[0]]);
        time.Advance(TimeSpan.FromSeconds(1.9));
        Assert.That(told, Is.Empty);

        time.Advance(TimeSpan.FromSeconds(1));
        leases.Slow.SetResult();
        await using var keeper = await taking;

        Assert.That(told, Is.EqualTo(new[] { "web1:7420: waits until what was begun before under another lease, or none, has ended" }));
    }

    [Test]
    public async Task Leases_are_renewed_for_as_long_as_the_deployment_lives_and_expire_when_it_does_not()
    {
        var keeper = await TakeAsync("a", Agents);
        for (var minute = 0; minute < 240; minute++)
        {
            time.Advance(TimeSpan.FromSeconds(5));
            Assert.That(Agents.Select(leases.HolderAt), Is.All.EqualTo("a"));
        }

        Assert.That(keeper.IsLost, Is.False);
        await keeper.DisposeAsync();
        leases.Give(Agents[0], "killed");
        time.Advance(Timings.Duration);
        Assert.That(leases.HolderAt(Agents[0]), Is.Null);
    }

    [Test]
    public async Task The_agents_know_the_step_before_it_begins()
    {
        await using var keeper = await TakeAsync("a", Agents);

        Assert.That(await keeper.MayBeginAsync("stop shop on web2"), Is.True);

        Assert.That(Agents.Select(leases.StepAt), Is.All.EqualTo("stop shop on web2"));
    }

    [Test]
    public async Task A_controller_that_slept_over_its_leases_begins_nothing_once_another_has_had_one()
    {
        await using var keeper = await TakeAsync("a", Agents);
        // Asleep: no timer of its own fires, and the other takes what has expired.
        leases.Expire();
        leases.Give(Agents[2], "other");

        var may = await keeper.MayBeginAsync("stop shop on web2");

        Assert.That(may, Is.False);
        Assert.That(keeper.IsLost, Is.True);
        Assert.That(keeper.Loss!.Reason, Is.EqualTo("LEASE_LOST"));
        Assert.That(keeper.Loss.Message, Does.Contain("other"));
        Assert.That(leases.HolderAt(Agents[2]), Is.EqualTo("other"));
    }

    [Test]
    public async Task A_controller_that_slept_goes_on_where_nobody_has_taken_its_leases()
    {
        await using var keeper = await TakeAsync("a", Agents);
        leases.Expire();

        Assert.That(await keeper.MayBeginAsync("stop shop on web2"), Is.True);
        Assert.That(Agents.Select(leases.HolderAt), Is.All.EqualTo("a"));
    }

    [Test]
    public async Task A_renewal_that_is_refused_stops_the_deployment_between_steps_too()
    {
        await using var keeper = await TakeAsync("a", Agents);
        leases.Take(Agents[0]);

        time.Advance(TimeSpan.FromSeconds(5));

        Assert.That(keeper.Lost.IsCancellationRequested, Is.True);
        Assert.That(await keeper.MayBeginAsync("any"), Is.False);
    }

    [Test]
    public async Task An_agent_that_falls_silent_is_no_loss_and_steps_do_not_wait_for_it_again_and_again()
    {
        await using var keeper = await TakeAsync("a", Agents);
        leases.Silent.Add(Agents[0]);
        await keeper.MayBeginAsync("one");
        var asked = leases.Renewals(Agents[0]);

        var may = await keeper.MayBeginAsync("two");

        Assert.That(may, Is.True);
        Assert.That(leases.Renewals(Agents[0]), Is.EqualTo(asked));
        leases.Silent.Clear();
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.That(leases.StepAt(Agents[0]), Is.EqualTo("two"), "it is asked again in its turn");
    }

    private static WantedLease Wanted(string id)
        => new(App, id, new LeaseProcess("alice", "ops1", 1, "p1"), "deploying shop", null, Timings.Duration, "looking at the hosts");

    private static bool IsDead(LeaseProcess holder) => holder.User == "dead";

    private Task<LeaseKeeper> TakeAsync(string id, IEnumerable<AgentAddress> agents) => LeaseKeeper.TakeAsync(
        leases, Wanted(id), agents, [], IsDead, NoPatience, (agent, why) => told.Add($"{agent}: {why}"), time, default);

    private async Task<OperatorError> RefusedAsync(string id) => (await Assert.ThrowsAsync<OperatorException>(async () => await TakeAsync(id, Agents)))!.Error;

    /// <summary>Agents' leases: the rules of leases.proto, for one app.</summary>
    private sealed class ScriptedLeases(TimeProvider time) : IHostLeases
    {
        private readonly Dictionary<AgentAddress, Held> held = [];
        private readonly Dictionary<AgentAddress, int> renewals = [];
        private readonly Dictionary<AgentAddress, long> ours = [];
        private long token = 100;

        public List<string> Asked { get; } = [];

        public List<string> Unlockings { get; } = [];

        public HashSet<AgentAddress> Silent { get; } = [];

        /// <summary>Agents answer a holder that wants a lease when this is done.</summary>
        public TaskCompletionSource? Slow { get; set; }

        public string? HolderAt(AgentAddress agent) => IsLive(agent) ? held[agent].Holder : null;

        public string StepAt(AgentAddress agent) => held[agent].Step;

        public int Renewals(AgentAddress agent) => renewals.GetValueOrDefault(agent);

        public void Give(AgentAddress agent, string holder) => held[agent] = new Held(holder, ++token, time.GetTimestamp(), "migrate");

        public void Take(AgentAddress agent) => held.Remove(agent);

        public void Expire()
        {
            foreach (var agent in held.Keys.ToList()) held[agent] = held[agent] with { Heard = time.GetTimestamp() - (long)(time.TimestampFrequency * 60) };
        }

        public async Task<LeaseAnswer> AcquireAsync(AgentAddress agent, WantedLease wanted, CancellationToken cancellation)
        {
            Asked.Add(agent.Value);
            if (Slow is { } slow) await slow.Task;
            if (Silent.Contains(agent)) return await Gone();
            if (IsLive(agent) && held[agent].Holder != wanted.Id) return await Refused("LEASE_HELD", agent);
            Give(agent, wanted.Id);
            ours[agent] = token;
            return await Ours();
        }

        public Task<LeaseAnswer> RenewAsync(AgentAddress agent, AppName app, string step, CancellationToken cancellation)
        {
            renewals[agent] = Renewals(agent) + 1;
            if (Silent.Contains(agent)) return Gone();
            if (held.GetValueOrDefault(agent) is not { } it || it.Token != ours[agent]) return Refused("LEASE_LOST", agent);
            held[agent] = it with { Heard = time.GetTimestamp(), Step = step };
            return Ours();
        }

        public Task ReleaseAsync(AgentAddress agent, AppName app)
        {
            if (ours.Remove(agent, out var mine) && held.GetValueOrDefault(agent)?.Token == mine) held.Remove(agent);
            return Task.CompletedTask;
        }

        public Task<OperatorError?> UnlockAsync(AgentAddress agent, HeldLease lease, string by, string reason, CancellationToken cancellation)
        {
            Unlockings.Add($"{agent}: {by}: {reason}");
            if (held[agent].Token == lease.Token.Value) held.Remove(agent);
            return Task.FromResult<OperatorError?>(null);
        }

        private bool IsLive(AgentAddress agent) => held.TryGetValue(agent, out var it) && time.GetElapsedTime(it.Heard) < Timings.Duration;

        private static Task<LeaseAnswer> Ours() => Task.FromResult<LeaseAnswer>(new LeaseAnswer.Ours());

        private static Task<LeaseAnswer> Gone() => Task.FromResult<LeaseAnswer>(new LeaseAnswer.Unknown(new OperatorError(StatusCode.Unavailable, "AGENT_UNREACHABLE", "gone")));

        private Task<LeaseAnswer> Refused(string reason, AgentAddress agent)
        {
            var it = held.GetValueOrDefault(agent);
            return Task.FromResult<LeaseAnswer>(new LeaseAnswer.Refused(
                new OperatorError(StatusCode.FailedPrecondition, reason, $"{agent}: it is held by {it?.Holder}"),
                it is null ? null : new HeldLease(App, FencingToken.Parse(it.Token), new LeaseProcess(it.Holder, "ops1", 7, "p7"))));
        }

        private sealed record Held(string Holder, long Token, long Heard, string Step);
    }
}
