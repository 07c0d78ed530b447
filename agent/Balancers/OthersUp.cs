using Decant.Agent.Operations;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>Takes members of a balancer out one at a time, each only while enough others are up.</summary>
internal sealed class OthersUp(BalancerName balancer, TimeProvider time) : IDisposable
{
    /// <summary>Held from counting the members that are up until one of them is out: two drains at once must not both count the other.</summary>
    public SemaphoreSlim Turn { get; } = new(1, 1);

    /// <summary>Waits until enough others are up, or the member itself is not, and takes it out.</summary>
    /// <param name="member">The member.</param>
    /// <param name="options">How many others, and how long they are waited for.</param>
    /// <param name="look">Between two looks.</param>
    /// <param name="read">All members as the balancer sees them now.</param>
    /// <param name="takeOut">Takes it out, in the same turn as the look that allows it.</param>
    /// <param name="tell">Told with each look that there are too few: what is waited for, and how the others are.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="Errors.OperatorException">TOO_FEW_IN_ROTATION at the deadline.</exception>
    public async Task<T> TakeOutAsync<T>(
        MemberKey member,
        DrainOptions options,
        TimeSpan look,
        Func<Task<IReadOnlyList<Member>>> read,
        Func<Task<T>> takeOut,
        Action<string, string> tell,
        CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        while (true)
        {
            IReadOnlyList<Member> others;
            await Turn.WaitAsync(cancellation);
            try
            {
                var all = await read();
                others = [.. all.Where(m => m.Name != member.Member.Value)];
                // One that is not up itself takes nothing away.
                var isUp = all.Any(m => m.Name == member.Member.Value && m.State == MemberState.Ready);
                if (!isUp || others.Count(m => m.State == MemberState.Ready) >= options.MinOthersUp) return await takeOut();
            }
            finally
            {
                Turn.Release();
            }

            var waited = time.GetElapsedTime(begun);
            if (waited >= options.Deadline) throw BalancerErrors.TooFewInRotation(balancer, member, options.MinOthersUp, others, waited);
            tell($"waiting for {options.MinOthersUp} other members of {member.Backend} to be up before {member.Member} is drained", string.Join(", ", others));
            var left = options.Deadline - waited;
            await Task.Delay(left < look ? TimeSpan.FromMilliseconds(Math.Max(1, left.TotalMilliseconds)) : look, time, cancellation);
        }
    }

    /// <summary>Tells how the others are, again whenever that has changed.</summary>
    public static Action<string, string> TellChanges(IOperationReport report)
    {
        var told = "";
        return (waiting, others) =>
        {
            if (told != others) report.Message($"{waiting}: {told = others}");
        };
    }

    /// <inheritdoc/>
    public void Dispose() => Turn.Dispose();
}
