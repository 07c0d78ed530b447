using System.Collections.Concurrent;
using Decant.Controller.Fleet;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>
/// Holds the leases of a deployment at all of its agents: takes all or none, in a fixed order; renews them while this process lives, and before
/// each step, so that one that slept finds out first; gives them back at the end. Once one is lost, nothing more may be changed.
/// </summary>
internal sealed class LeaseKeeper : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan SlowAfter = TimeSpan.FromSeconds(2);

    private readonly IHostLeases leases;
    private readonly AppName app;
    private readonly IReadOnlyList<AgentAddress> agents;
    private readonly CancellationTokenSource lost = new();
    private readonly Lock gate = new();
    // Agents that did not answer the last renewal: a step does not wait for them once more.
    private readonly ConcurrentDictionary<AgentAddress, bool> silent = [];
    private readonly ITimer timer;
    private Task renewing = Task.CompletedTask;
    private string step;

    private LeaseKeeper(IHostLeases leases, WantedLease wanted, IReadOnlyList<AgentAddress> agents, TimeProvider time)
    {
        (this.leases, app, this.agents, step) = (leases, wanted.App, agents, wanted.Step);
        timer = time.CreateTimer(_ => Tick(), null, wanted.Duration / 3, wanted.Duration / 3);
    }

    /// <summary>The agents at which leases are held.</summary>
    public IReadOnlyList<AgentAddress> Agents => agents;

    /// <summary>Cancelled when a lease is lost.</summary>
    public CancellationToken Lost => lost.Token;

    /// <summary>A lease is lost.</summary>
    public bool IsLost => lost.IsCancellationRequested;

    /// <summary>Who has it now, and why; null as long as none is lost.</summary>
    public OperatorError? Loss { get; private set; }

    /// <summary>Takes the leases.</summary>
    /// <param name="leases">The agents' leases.</param>
    /// <param name="wanted">What is wanted at each.</param>
    /// <param name="agents">All that the deployment will touch.</param>
    /// <param name="ifThere">More, which may have left for good: theirs are taken where they answer.</param>
    /// <param name="isDead">Whether a holder is known not to live any more: its lease is taken away, on record.</param>
    /// <param name="timings">How long an agent that does not answer is asked again.</param>
    /// <param name="waiting">Told once for each agent that keeps it waiting, and why.</param>
    /// <param name="time">Clock and timers.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="OperatorException">LEASE_HELD, with who has it, since when, at which step; or an agent cannot be asked. None is held then.</exception>
    public static async Task<LeaseKeeper> TakeAsync(
        IHostLeases leases,
        WantedLease wanted,
        IEnumerable<AgentAddress> agents,
        IEnumerable<AgentAddress> ifThere,
        Func<LeaseProcess, bool> isDead,
        LeaseTimings timings,
        Action<AgentAddress, string> waiting,
        TimeProvider time,
        CancellationToken cancellation)
    {
        // Everybody in the same order: of two that begin at once, one gets them all.
        var needed = agents.ToHashSet();
        var all = needed.Union(ifThere).OrderBy(a => a.Value, StringComparer.Ordinal);
        var taken = new List<AgentAddress>();
        try
        {
            foreach (var agent in all)
            {
                taken.Add(agent);
                switch (await TakeAsync(leases, wanted, agent, isDead, needed.Contains(agent) ? timings.Patience : TimeSpan.Zero, waiting, time, cancellation))
                {
                    case LeaseAnswer.Unknown when !needed.Contains(agent):
                        taken.Remove(agent);
                        break;
                    case LeaseAnswer.Unknown { Error: var error }:
                        throw new OperatorException(error);
                    case LeaseAnswer.Refused { Error: var error }:
                        throw new OperatorException(error);
                }
            }
        }
        catch
        {
            await Task.WhenAll(taken.Select(agent => leases.ReleaseAsync(agent, wanted.App)));
            throw;
        }

        return new LeaseKeeper(leases, wanted, taken, time);
    }

    /// <summary>
    /// Before a step, every time: tells the agents of it, which renews the leases. False: one is lost, and the step must not be begun. An agent
    /// that does not answer is no loss; it refuses the step itself if it must.
    /// </summary>
    public async Task<bool> MayBeginAsync(string next)
    {
        if (IsLost) return false;
        lock (gate) step = next;
        await RenewAsync(agents.Where(a => !silent.ContainsKey(a)));
        return !IsLost;
    }

    /// <summary>An agent refused a step for its lease.</summary>
    public void Lose(OperatorError error)
    {
        lock (gate) Loss ??= error;
        lost.Cancel();
    }

    /// <summary>Whether an error says that a lease is lost.</summary>
    public static bool IsLoss(OperatorError? error) => error?.Reason is Refusals.LeaseHeld or Refusals.LeaseLost;

    /// <summary>Gives back what is still held.</summary>
    public async ValueTask DisposeAsync()
    {
        await timer.DisposeAsync();
        Task last;
        lock (gate) last = renewing;
        await last;
        await Task.WhenAll(agents.Select(agent => leases.ReleaseAsync(agent, app)));
        lost.Dispose();
    }

    private static async Task<LeaseAnswer> TakeAsync(
        IHostLeases leases,
        WantedLease wanted,
        AgentAddress agent,
        Func<LeaseProcess, bool> isDead,
        TimeSpan patience,
        Action<AgentAddress, string> waiting,
        TimeProvider time,
        CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        var pause = FirstPause;
        using var slow = time.CreateTimer(
            _ => waiting(agent, "waits until what was begun before under another lease, or none, has ended"), null, SlowAfter, Timeout.InfiniteTimeSpan);
        for (bool isTold = false, isTakenAway = false; ;)
        {
            var answer = await leases.AcquireAsync(agent, wanted, cancellation);
            switch (answer)
            {
                // The same holder asks again: where it was given already and the answer was lost, it is the same lease.
                case LeaseAnswer.Unknown unknown when time.GetElapsedTime(begun) + pause <= patience:
                    slow.Dispose();
                    if (!isTold) waiting(agent, $"{unknown.Error.Message}; asking again, for {patience.TotalSeconds:0} s at most");
                    isTold = true;
                    await time.ForAsync(pause, cancellation);
                    pause *= 2;
                    break;
                case LeaseAnswer.Refused { Held: { } held } when !isTakenAway && isDead(held.Holder):
                    isTakenAway = true;
                    // Whatever becomes of it, the next answer says how things are.
                    await leases.UnlockAsync(agent, held, $"{wanted.Holder}", $"its controller, pid {held.Holder.Pid}, is dead; {wanted.Purpose}", cancellation);
                    break;
                default:
                    return answer;
            }
        }
    }

    /// <summary>Not before the last renewal has ended: after a sleep, many ticks come at once.</summary>
    private void Tick()
    {
        lock (gate)
        {
            if (!IsLost && renewing.IsCompleted) renewing = RenewAsync(agents);
        }
    }

    private async Task RenewAsync(IEnumerable<AgentAddress> some)
    {
        string now;
        lock (gate) now = step;
        await Task.WhenAll(some.Select(agent => RenewAsync(agent, now)));
    }

    private async Task RenewAsync(AgentAddress agent, string now)
    {
        switch (await leases.RenewAsync(agent, app, now, CancellationToken.None))
        {
            case LeaseAnswer.Ours:
                silent.TryRemove(agent, out _);
                break;
            case LeaseAnswer.Refused refused when IsLoss(refused.Error):
                Lose(refused.Error);
                break;
            default:
                silent[agent] = true;
                break;
        }
    }
}
