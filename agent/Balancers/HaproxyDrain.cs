using Decant.Agent.Operations;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>Waits until a member that was taken out has nothing in flight, and takes it out again when a reload has put it back.</summary>
internal sealed class HaproxyDrain(HaproxyWatch watch, BalancerName balancer, MemberKey member, HaproxyTimings timings, TimeProvider time)
{
    private readonly long begun = time.GetTimestamp();
    private long takenOut = time.GetTimestamp();
    private int reported = -1;
    private (int Generation, long Sessions)? counted;
    private bool toldOfStickiness;

    /// <summary>Waits.</summary>
    /// <returns>With the sessions that are left when the deadline has passed.</returns>
    public async Task<Drained> WaitAsync(TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        while (true)
        {
            var look = await watch.LookAsync(member.Backend, patient: true, cancellation);
            var seen = look.Find(member.Member) ?? throw BalancerErrors.NoSuchMember(balancer, member, look.Backend);
            var elapsed = time.GetElapsedTime(begun);
            var load = look.LoadOf(member.Member);
            if (load != reported) report.Draining(reported = load, elapsed);

            if (seen.IsOut && load == 0 && time.GetElapsedTime(takenOut) >= timings.Settle) return new Drained(elapsed, 0);
            if (elapsed >= deadline) return GivenUp(seen, load, elapsed, report);
            if (seen.IsOut) TellOfStickiness(seen, report);
            else await TakeOutAgainAsync(report, cancellation);

            var left = deadline - elapsed;
            await Task.Delay(left < timings.Look ? left : timings.Look, time, cancellation);
        }
    }

    private Drained GivenUp(Member seen, int load, TimeSpan elapsed, IOperationReport report)
    {
        if (!seen.IsOut) throw BalancerErrors.Refused(balancer, $"set server {member} state drain", $"it is put back again and again: {seen}");
        report.Message($"{member} still has {load} sessions after {elapsed.TotalSeconds:0.#} s: they are cut when the instance stops");
        return new Drained(elapsed, load);
    }

    private async Task TakeOutAgainAsync(IOperationReport report, CancellationToken cancellation)
    {
        var who = watch.Generation > 1 ? "HAProxy was reloaded or restarted" : "somebody put it back";
        report.Message($"{member} is back in rotation ({who}): draining it again");
        await watch.SetAsync(member, "drain", cancellation);
        takenOut = time.GetTimestamp();
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
