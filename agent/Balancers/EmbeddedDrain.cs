using Decant.Agent.Operations;
using Decant.Agent.Proxy;
using Decant.Errors;

namespace Decant.Agent.Balancers;

/// <summary>Takes a member out of the embedded proxy and waits, told by the proxy, until it has nothing in flight.</summary>
internal sealed class EmbeddedDrain(EmbeddedProxyClient proxy, MemberKey member, TimeProvider time, TimeSpan gone, TimeSpan again)
{
    private int reported = -1;
    private long closedBefore;
    private int closed;
    private bool isClosing;

    /// <summary>Drains it.</summary>
    /// <param name="takeOut">Takes it out; done again when somebody put it back.</param>
    /// <param name="options">Deadline, and what becomes of long-lived connections.</param>
    /// <param name="report">Told of each change.</param>
    /// <param name="unreachable">What to throw when the proxy stays away.</param>
    /// <param name="cancellation">Stops waiting; the member stays out.</param>
    public async Task<Drained> RunAsync(
        Func<Task<ChangeReply>> takeOut,
        DrainOptions options,
        IOperationReport report,
        Func<EmbeddedProxyGoneException, OperatorException> unreachable,
        CancellationToken cancellation)
    {
        var before = (await takeOut()).Backend.Members.First(m => m.Name == member.Member.Value);
        closedBefore = before.LongLivedClosed;
        var begun = time.GetTimestamp();
        var last = before;
        long? goneSince = null;
        while (true)
        {
            try
            {
                last = await WatchAsync(begun, options, report, cancellation) ?? last;
                goneSince = null;
            }
            catch (EmbeddedProxyGoneException exception)
            {
                goneSince ??= time.GetTimestamp();
                if (time.GetElapsedTime(goneSince.Value) >= gone) throw unreachable(exception);
            }

            var elapsed = time.GetElapsedTime(begun);
            if (last is { State: "ready" or "down" })
            {
                report.Message($"{member} is back in rotation (somebody put it back): draining it again");
                last = (await takeOut()).Backend.Members.First(m => m.Name == member.Member.Value);
            }
            else if (last is { InFlight: 0 })
            {
                return new Drained(elapsed, 0, LongLivedClosed: closed);
            }
            else if (elapsed >= options.Deadline)
            {
                report.Message($"{member} still has {last.InFlight} requests after {elapsed.TotalSeconds:0.#} s, {last.LongLived} of them long-lived: they are cut when the instance stops");
                return new Drained(elapsed, last.InFlight, LongLivedClosed: closed);
            }
            else
            {
                await Task.Delay(again, time, cancellation);
            }
        }
    }

    /// <returns>As it was when there was something to decide; null when nothing was seen.</returns>
    private async Task<MemberView?> WatchAsync(long begun, DrainOptions options, IOperationReport report, CancellationToken cancellation)
    {
        MemberView? last = null;
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var deadline = time.CreateTimer(
            _ => enough.Cancel(), null, Max(options.Deadline - time.GetElapsedTime(begun), TimeSpan.FromMilliseconds(1)), Timeout.InfiniteTimeSpan);
        var closing = options.LongLived is { } policy && !isClosing ? CloseAsync(policy, begun, enough.Token) : Task.CompletedTask;
        try
        {
            await foreach (var seen in proxy.WatchAsync(member, enough.Token))
            {
                last = seen;
                Take(seen, time.GetElapsedTime(begun), report);
                if (seen.State is "ready" or "down" || seen.InFlight == 0) break;
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // The deadline has passed.
        }
        finally
        {
            await enough.CancelAsync();
            await closing;
        }

        return last;
    }

    private async Task CloseAsync(LongLivedPolicy policy, long begun, CancellationToken cancellation)
    {
        try
        {
            var early = policy.CloseAfter - time.GetElapsedTime(begun);
            if (early > TimeSpan.Zero) await Task.Delay(early, time, cancellation);
            await proxy.CloseAsync(member, policy.Spread, cancellation);
            isClosing = true;
        }
        catch (Exception exception) when (exception is OperationCanceledException or EmbeddedProxyGoneException or ProxyRefusalException)
        {
            // Asked again with the next look, if there is one.
        }
    }

    private void Take(MemberView seen, TimeSpan elapsed, IOperationReport report)
    {
        // A proxy that has started meanwhile counts from zero again, and has closed what its predecessor had.
        if (seen.LongLivedClosed < closedBefore)
        {
            closedBefore = 0;
            isClosing = false;
        }

        closed += (int)(seen.LongLivedClosed - closedBefore);
        closedBefore = seen.LongLivedClosed;
        if (seen.InFlight == reported) return;
        reported = seen.InFlight;
        report.Draining(seen.InFlight, elapsed, seen.LongLived);
    }

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
