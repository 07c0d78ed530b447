using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>Moves traffic at HAProxy: members are put in, and when all of them are up, others are taken out; all of it or nothing.</summary>
internal sealed class HaproxyMove(HaproxyWatch watch, BalancerName balancer, MemberName backend, BalancerMove move, HaproxyPutIn putIn, SemaphoreSlim choosing)
{
    /// <summary>Moves.</summary>
    /// <exception cref="OperatorException">As <see cref="HaproxyPutIn"/>; everything is as before then.</exception>
    public async Task<Undrained> RunAsync(TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        var before = await watch.LookAsync(backend, patient: false, cancellation);
        foreach (var leaving in move.OutOf)
            if (before.Find(leaving) is null) throw BalancerErrors.NoSuchMember(balancer, Key(leaving), before.Backend);
        try
        {
            return await MoveAsync(deadline, report, cancellation);
        }
        catch (Exception exception) when (exception is OperatorException { Error.Reason: not BalancerErrors.NotReachable } or OperationCanceledException)
        {
            await PutBackAsync(before);
            throw;
        }
    }

    private async Task<Undrained> MoveAsync(TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        var unchanged = true;
        for (var set = 0; ;)
        {
            var up = await putIn.RunAsync(deadline, report, cancellation);
            unchanged &= up.Unchanged;
            await choosing.WaitAsync(cancellation);
            try
            {
                var look = await watch.LookAsync(backend, patient: true, cancellation);
                // A reload came between: the process that serves now knows nothing of those that were put in.
                if (move.Into.Any(m => look.Find(m.Member) is not { State: MemberState.Ready })) continue;
                // A member that is gone since gets no requests either.
                var still = move.OutOf.Where(m => look.Find(m) is { IsOut: false }).ToList();
                if (still.Count == 0) return up with { Unchanged = unchanged };
                if (set == watch.Generation)
                    throw BalancerErrors.Refused(balancer, $"set server {Key(still[0])} state drain", $"it is {look.Find(still[0])!.Status} still");
                set = watch.Generation;
                unchanged = false;
                foreach (var member in still) await watch.SetAsync(Key(member), "drain", cancellation);
            }
            finally
            {
                choosing.Release();
            }
        }
    }

    /// <summary>Those that were taken out first, so that somebody is in all the time.</summary>
    private async Task PutBackAsync(HaproxyLook before)
    {
        var now = await watch.LookAsync(backend, patient: true, CancellationToken.None);
        foreach (var member in move.OutOf.Where(m => before.Find(m) is { IsOut: false } && now.Find(m) is { IsOut: true }))
            await watch.SetAsync(Key(member), "ready", CancellationToken.None);
        foreach (var member in move.Into.Select(m => m.Member).Where(m => before.Find(m) is null or { IsOut: true } && now.Find(m) is { IsOut: false }))
            await watch.SetAsync(Key(member), "drain", CancellationToken.None);
    }

    private MemberKey Key(MemberName member) => new(backend, member);
}
