using Decant.Agent.Operations;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>Waits until a member that was taken out has nothing in flight, and takes it out again when a reload has put it back.</summary>
internal sealed class HaproxyDrain(
    HaproxyWatch watch, BalancerName balancer, MemberKey member, DrainOptions options, HaproxyTimings timings, TimeProvider time)
{
    private readonly long begun = time.GetTimestamp();
    private long takenOut = time.GetTimestamp();
    private (int Load, int LongLived) reported = (-1, -1);
    private (int Generation, long Sessions)? counted;
    private bool toldOfStickiness;
    private bool toldOfLoss;
    private long? lookedForLongLived;
    private int longLived;
    private int closed;

    /// <summary>Waits.</summary>
    /// <returns>With the sessions that are left when the deadline has passed.</returns>
    public async Task<Drained> WaitAsync(IOperationReport report, CancellationToken cancellation)
    {
        while (true)
        {
            var look = await watch.LookAsync(member.Backend, patient: true, cancellation);
            var seen = look.Find(member.Member);
            var elapsed = time.GetElapsedTime(begun);
            var load = look.LoadOf(member.Member);
            await CloseLongLivedAsync(load, elapsed, cancellation);
            if ((load, longLived) != reported)
            {
                reported = (load, longLived);
                report.Draining(load, elapsed, longLived);
            }

            if (seen is not { IsOut: false } && load == 0 && time.GetElapsedTime(takenOut) >= timings.Settle)
                return new Drained(elapsed, 0, LongLivedClosed: closed);
            if (elapsed >= options.Deadline) return GivenUp(seen, load, elapsed, report);
            if (seen is null) TellOfLoss(report);
            else if (seen.IsOut) TellOfStickiness(seen, report);
            else await TakeOutAgainAsync(report, cancellation);

            var left = options.Deadline - elapsed;
            await Task.Delay(left < timings.Look ? left : timings.Look, time, cancellation);
        }
    }

    private Drained GivenUp(Member? seen, int load, TimeSpan elapsed, IOperationReport report)
    {
        if (seen is { IsOut: false }) throw BalancerErrors.Refused(balancer, $"set server {member} state drain", $"it is put back again and again: {seen}");
        report.Message($"{member} still has {load} sessions after {elapsed.TotalSeconds:0.#} s: they are cut when the instance stops");
        return new Drained(elapsed, load, LongLivedClosed: closed);
    }

    private async Task CloseLongLivedAsync(int load, TimeSpan elapsed, CancellationToken cancellation)
    {
        if (options.LongLived is not { } policy) return;
        if (load > 0 && lookedForLongLived is { } last && time.GetElapsedTime(last) < timings.LongLivedLook) return;
        lookedForLongLived = time.GetTimestamp();
        var open = load == 0 ? [] : await watch.TunnelsAsync(member, cancellation);
        var due = LongLivedPace.Due(policy, elapsed, closed, open.Count);
        var closedNow = 0;
        foreach (var tunnel in open.Take(due))
            if (await tunnel.CloseAsync(member, cancellation)) closedNow++;
        closed += closedNow;
        longLived = open.Count - closedNow;
    }

    private async Task TakeOutAgainAsync(IOperationReport report, CancellationToken cancellation)
    {
        var who = watch.Generation > 1 ? "HAProxy was reloaded or restarted" : "somebody put it back";
        report.Message($"{member} is back in rotation ({who}): draining it again");
        await watch.SetAsync(member, "drain", cancellation);
        takenOut = time.GetTimestamp();
    }

    /// <summary>A server that was made at run time is unknown to the process after a reload.</summary>
    private void TellOfLoss(IOperationReport report)
    {
        if (toldOfLoss) return;
        toldOfLoss = true;
        report.Message($"{member} is no longer there (HAProxy was reloaded or restarted): it gets no new requests; waiting for those in flight");
    }

    /// <summary>A draining member still gets requests that a cookie or stick table sends to it (management guide, <c>set server</c>).</summary>
    private void TellOfStickiness(Member seen, IOperationReport report)
    {
        if (toldOfStickiness || time.GetElapsedTime(takenOut) < timings.Settle) return;
        if (counted is not { } before || before.Generation != watch.Generation)
        {
            counted = (watch.Generation, seen.SessionsTotal);
        }
        else if (seen.SessionsTotal > before.Sessions)
        {
            toldOfStickiness = true;
            report.Message($"{member} gets new sessions although it drains: a cookie or stick table of HAProxy's sends them there");
        }
    }
}
