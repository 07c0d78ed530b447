using Decant.Agent.Operations;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>Deletes a server of HAProxy that is out of rotation, as soon as HAProxy lets it go.</summary>
internal sealed class HaproxyRemoval(HaproxyWatch watch, BalancerName balancer, MemberKey member, HaproxyTimings timings, TimeProvider time)
{
    private const string Deleted = "Server deleted.";
    private const string Busy = "Server still has connections attached to it";

    /// <summary>Deletes it.</summary>
    /// <exception cref="Errors.OperatorException">MEMBER_BUSY, BALANCER_REFUSED.</exception>
    public async Task<Done> RunAsync(IOperationReport report, CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        for (var told = false; ;)
        {
            if ((await watch.LookAsync(member.Backend, patient: true, cancellation)).Find(member.Member) is not { } seen) return new Done();
            if (!seen.IsOut) throw BalancerErrors.InRotation(balancer, member, seen);
            // "The server must be in maintenance mode prior to its deletion" (management guide, del server).
            if (seen.State != MemberState.Maintenance) await watch.SetAsync(member, "maint", cancellation);

            var answer = await watch.TryCommandAsync($"del server {member}", cancellation);
            if (answer == Deleted) return new Done();
            if (answer?.StartsWith(Busy, StringComparison.Ordinal) == false)
                throw BalancerErrors.Refused(balancer, $"del server {member}", answer);
            var waited = time.GetElapsedTime(begun);
            if (answer is not null && waited >= timings.Removal) throw BalancerErrors.Busy(balancer, member, seen, waited);
            if (answer is not null && !told)
            {
                told = true;
                report.Message($"{member} still has {seen.Load} sessions: HAProxy deletes it when they have ended");
            }

            await Task.Delay(timings.Look, time, cancellation);
        }
    }
}
