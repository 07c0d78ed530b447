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
    private readonly IHostLeases leases;
    private readonly AppName app;
    private readonly IReadOnlyList<AgentAddress> agents;
    private readonly TimeSpan duration;
    private readonly TimeProvider time;
    private readonly CancellationTokenSource lost = new();
    private readonly CancellationTokenSource end = new();
    private readonly Lock gate = new();
    // Agents that did not answer the last renewal: a step does not wait for them once more.
    private readonly ConcurrentDictionary<AgentAddress, OperatorError> silent = [];
    private Task renewing = Task.CompletedTask;
    private string step;

    private LeaseKeeper(IHostLeases leases, WantedLease wanted, IReadOnlyList<AgentAddress> agents, TimeProvider time)
    {
        (this.leases, app, this.agents, duration, this.time, step) = (leases, wanted.App, agents, wanted.Duration, time, wanted.Step);
    }

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
    /// <param name="isDead">Whether a holder is known not to live any more: its lease is taken away, on record.</param>
    /// <param name="time">Clock and timers.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="OperatorException">LEASE_HELD, with who has it, since when, at which step; or an agent cannot be asked. None is held then.</exception>
    public static async Task<LeaseKeeper> TakeAsync(
        IHostLeases leases,
        WantedLease wanted,
        IEnumerable<AgentAddress> agents,
        Func<LeaseProcess, bool> isDead,
        TimeProvider time,
        CancellationToken cancellation)
    {
        // Everybody in the same order: of two that begin at once, one gets them all.
        List<AgentAddress> all = [.. agents.Distinct().OrderBy(a => a.Value, StringComparer.Ordinal)];
        var taken = new List<AgentAddress>();
        try
        {
            foreach (var agent in all)
            {
                taken.Add(agent);
                if (await TakeAsync(leases, wanted, agent, isDead, cancellation) is { } refusal) throw new OperatorException(refusal);
            }
        }
        catch
        {
            await Task.WhenAll(taken.Select(agent => leases.ReleaseAsync(agent, wanted.App)));
            throw;
        }

        var keeper = new LeaseKeeper(leases, wanted, all, time);
        keeper.renewing = keeper.KeepAsync();
        return keeper;
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
        await end.CancelAsync();
        await renewing;
        await Task.WhenAll(agents.Select(agent => leases.ReleaseAsync(agent, app)));
        end.Dispose();
        lost.Dispose();
    }

    private static async Task<OperatorError?> TakeAsync(
        IHostLeases leases, WantedLease wanted, AgentAddress agent, Func<LeaseProcess, bool> isDead, CancellationToken cancellation)
    {
        for (var again = false; ; again = true)
        {
            switch (await leases.AcquireAsync(agent, wanted, cancellation))
            {
                case LeaseAnswer.Ours:
                    return null;
                case LeaseAnswer.Refused { Held: { } held } when !again && isDead(held.Holder):
                    // Whatever becomes of it, the next answer says how things are.
                    await leases.UnlockAsync(agent, held, $"{wanted.Holder}", $"its controller, pid {held.Holder.Pid}, is dead; {wanted.Purpose}", cancellation);
                    break;
                case LeaseAnswer.Refused refused:
                    return refused.Error;
                case LeaseAnswer.Unknown unknown:
                    return unknown.Error;
            }
        }
    }

    private async Task KeepAsync()
    {
        try
        {
            while (!IsLost)
            {
                await Task.Delay(duration / 3, time, end.Token);
                await RenewAsync(agents);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
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
        switch (await leases.RenewAsync(agent, app, now, end.Token))
        {
            case LeaseAnswer.Ours:
                silent.TryRemove(agent, out _);
                break;
            case LeaseAnswer.Refused refused when IsLoss(refused.Error):
                Lose(refused.Error);
                break;
            case LeaseAnswer.Refused { Error: var error }:
                silent[agent] = error;
                break;
            case LeaseAnswer.Unknown { Error: var error }:
                silent[agent] = error;
                break;
        }
    }
}
