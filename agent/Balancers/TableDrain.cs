using Decant.Agent.Operations;
using Decant.Errors;

namespace Decant.Agent.Balancers;

/// <summary>Waits until a member that was taken out has nothing in flight, and takes it out again when somebody has put it back.</summary>
internal sealed class TableDrain(TableBalancer balancer, MemberKey member, TableTimings timings, TimeProvider time)
{
    private readonly long begun = time.GetTimestamp();
    private long takenOut = time.GetTimestamp();
    private long? goneSince;
    private int reported = -1;
    private bool? wasOver;

    /// <summary>Waits.</summary>
    /// <returns>With the sessions that are left when the deadline has passed; unchanged when there was nothing in flight from the first look on.</returns>
    /// <exception cref="OperatorException">BALANCER_UNREACHABLE when it is gone for longer than a restart takes: what is in flight is unknown then.</exception>
    public async Task<Drained> WaitAsync(TimeSpan deadline, IOperationReport report, CancellationToken cancellation)
    {
        using var watch = balancer.Watch(member);
        while (true)
        {
            var look = await TryLookAsync(watch, report, cancellation);
            var elapsed = time.GetElapsedTime(begun);
            if (look is not null)
            {
                wasOver ??= look.IsOver;
                if (look.Sessions != reported) report.Draining(reported = look.Sessions, elapsed);
                if (look.IsOver && time.GetElapsedTime(takenOut) >= timings.Settle) return new Drained(elapsed, 0, Unchanged: wasOver.Value);
                if (elapsed >= deadline) return GivenUp(look, elapsed, report);
            }

            var left = deadline - elapsed;
            await Task.Delay(left < timings.Look && left > TimeSpan.Zero ? left : timings.Look, time, cancellation);
        }
    }

    /// <summary>Null when the balancer does not answer just now.</summary>
    private async Task<TableLook?> TryLookAsync(ITableWatch watch, IOperationReport report, CancellationToken cancellation)
    {
        try
        {
            var seen = balancer.Of(await balancer.ReadTableAsync(member.Backend, cancellation), member);
            if (!seen.IsOut)
            {
                report.Message($"{member} is back in rotation (the configuration of {balancer.Kind} was changed or loaded again): draining it again");
                await balancer.ChangeAsync(
                    member.Backend,
                    table => balancer.Of(table, member).IsOut ? table : table.With(member.Member, MemberState.Draining),
                    report,
                    cancellation);
                takenOut = time.GetTimestamp();
            }

            var look = await watch.LookAsync(seen, cancellation);
            goneSince = null;
            return look;
        }
        catch (OperatorException exception) when (exception.Error.Reason == BalancerErrors.NotReachable)
        {
            goneSince ??= time.GetTimestamp();
            if (time.GetElapsedTime(goneSince.Value) >= timings.Gone) throw;
            return null;
        }
    }

    private Drained GivenUp(TableLook look, TimeSpan elapsed, IOperationReport report)
    {
        if (!look.IsOver) report.Message($"{member} after {elapsed.TotalSeconds:0.#} s: {look.Left}");
        return new Drained(elapsed, look.Sessions);
    }
}
