using System.Globalization;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Tests.Simulation;

/// <summary>An agent's book of leases, as leases.proto has it: on its disk, and measured by virtual time.</summary>
internal sealed class SimulatedLeases(World world, AgentAddress address)
{
    private FencingToken? newest;
    private WantedLease? held;
    private ControllerLife? owner;
    private TimeSpan seenAt;

    /// <summary>Whose lease is held, or would be again if its holder were heard; null: nobody's.</summary>
    public FencingToken? Token => held is null ? null : newest;

    private bool IsExpired => held is { } lease && world.Time.Now - seenAt >= lease.Duration;

    /// <summary>Gives the lease to whoever has it already, or to anybody when nobody has it.</summary>
    /// <returns>Its token; null: somebody else has it.</returns>
    public FencingToken? Acquire(WantedLease wanted, ControllerLife life)
    {
        if (held is { } its && its.Id != wanted.Id)
        {
            if (!IsExpired) return null;
            owner!.HasLost = true;
            world.Log($"the agent at {address} gives the lease of {owner} to {life}");
        }

        if (held?.Id != wanted.Id) newest = newest?.Next ?? FencingToken.FirstAt(world.Time.UtcNow);
        (held, owner, seenAt) = (wanted, life, world.Time.Now);
        return newest;
    }

    /// <summary>The holder is heard: a lease that expired is its own again as long as nobody took it.</summary>
    /// <returns>Why it is not; null when it is.</returns>
    public OperatorError? Seen(FencingToken? token)
    {
        if (token is null || Token != token) return Lost(token);
        seenAt = world.Time.Now;
        return null;
    }

    public void Release(FencingToken token)
    {
        if (Token == token) held = null;
    }

    /// <summary>After a restart a lease lasts for its whole duration again.</summary>
    public void Restart() => seenAt = world.Time.Now;

    public static OperatorError Held(AgentAddress agent) => new(StatusCode.FailedPrecondition, Refusals.LeaseHeld, $"{agent}: somebody else changes it", "wait for it");

    public static OperatorError OperationsRunning(AgentAddress agent)
        => new(StatusCode.FailedPrecondition, Refusals.OperationsRunning, $"{agent}: it is still being changed", "try again later");

    private OperatorError Lost(FencingToken? token) => new(
        StatusCode.FailedPrecondition,
        Refusals.LeaseLost,
        string.Create(CultureInfo.InvariantCulture, $"{address}: the lease with token {token} is lost; the newest is {newest}"),
        "change nothing more");
}

/// <summary>The agents' leases as one controller's process reaches them.</summary>
internal sealed class NetworkLeases(World world, ControllerLife life) : IHostLeases
{
    private static readonly LeaseTimings Timings = new();

    private readonly Dictionary<AgentAddress, FencingToken> tokens = [];

    /// <summary>What goes along with a call.</summary>
    public FencingToken? TokenAt(AgentAddress agent) => tokens.GetValueOrDefault(agent);

    public Task<LeaseAnswer> AcquireAsync(AgentAddress agent, WantedLease wanted, CancellationToken cancellation)
    {
        var (there, until) = (world.Agent(agent), world.Time.Now + Timings.WaitForEarlier);
        void Await(FencingToken token, Action<LeaseAnswer?, FencingToken?> reply)
        {
            if (there.Leases.Seen(token) is { } lost)
            {
                reply(new LeaseAnswer.Refused(lost, null), null);
            }
            else if (!there.IsBusyFor(token, wanted.Deployment))
            {
                reply(new LeaseAnswer.Ours(), token);
            }
            else if (world.Time.Now >= until)
            {
                there.Leases.Release(token);
                reply(new LeaseAnswer.Refused(SimulatedLeases.OperationsRunning(agent), null), null);
            }
            else
            {
                world.Time.In(TimeSpan.FromMilliseconds(500), () =>
                {
                    if (there.IsUp) Await(token, reply);
                    else reply(null, null);
                });
            }
        }

        return AskAsync(agent, Timings.WaitForEarlier + Timings.CallDeadline, reply =>
        {
            if (there.Leases.Acquire(wanted, life) is { } token) Await(token, reply);
            else reply(new LeaseAnswer.Refused(SimulatedLeases.Held(agent), null), null);
        }, cancellation);
    }

    public Task<LeaseAnswer> RenewAsync(AgentAddress agent, AppName app, string step, CancellationToken cancellation)
    {
        var token = TokenAt(agent);
        return AskAsync(
            agent,
            Timings.CallDeadline,
            reply => reply(world.Agent(agent).Leases.Seen(token) is { } lost ? new LeaseAnswer.Refused(lost, null) : new LeaseAnswer.Ours(), null),
            cancellation);
    }

    public async Task ReleaseAsync(AgentAddress agent, AppName app)
    {
        if (!tokens.Remove(agent, out var token)) return;
        await AskAsync(agent, Timings.CallDeadline, reply =>
        {
            world.Agent(agent).Leases.Release(token);
            reply(new LeaseAnswer.Ours(), null);
        }, CancellationToken.None);
    }

    public Task<OperatorError?> UnlockAsync(AgentAddress agent, HeldLease held, string by, string reason, CancellationToken cancellation)
        => throw new InvalidOperationException("nobody is known to be dead here");

    /// <summary>Mostly question and answer are one event: there are very many of them.</summary>
    private Task<LeaseAnswer> AskAsync(AgentAddress agent, TimeSpan deadline, Action<Action<LeaseAnswer?, FencingToken?>> ask, CancellationToken cancellation)
    {
        var heard = new TaskCompletionSource<LeaseAnswer>();
        var there = world.Agent(agent);
        var silence = new LeaseAnswer.Unknown(new OperatorError(StatusCode.Unavailable, "AGENT_UNREACHABLE", $"{agent} does not answer"));
        void Hear(LeaseAnswer answer, FencingToken? token = null) => life.Do(() =>
        {
            if (answer is LeaseAnswer.Refused refused) life.Learn(refused.Error);
            if (token is not null) tokens[agent] = token;
            heard.TrySetResult(answer);
        });
        void Later(TimeSpan wait, LeaseAnswer answer) => world.Time.In(wait, () => Hear(answer));
        bool IsLost(int thousandths) => life.IsCutOff || there.IsCutOff || world.Chance(thousandths);
        world.Time.In(world.Between(2, 40), () =>
        {
            if (IsLost(world.Weather.LosesRequests)) Later(deadline, silence);
            else if (!there.IsUp) Hear(silence);
            else ask((answer, token) =>
            {
                if (answer is null) Hear(silence);
                else if (IsLost(world.Weather.LosesReplies)) Later(deadline, silence);
                else Hear(answer, token);
            });
        });
        cancellation.Register(() => world.Time.In(TimeSpan.FromMilliseconds(1), () => life.Do(() => heard.TrySetCanceled(cancellation))));
        return heard.Task;
    }
}
