namespace Decant.Agent.Proxy;

/// <summary>Closes the long-lived connections of a member that is out, one after the other over a time.</summary>
internal sealed class LongLivedClosing(TimeProvider time)
{
    /// <summary>Closes those that are there now, and those that still come up meanwhile; ends early when the member is put in again.</summary>
    /// <param name="member">The member.</param>
    /// <param name="spread">From the first to the last.</param>
    /// <param name="cancellation">Stops closing.</param>
    public async Task CloseAsync(ProxyMember member, TimeSpan spread, CancellationToken cancellation)
    {
        var open = member.LongLived;
        var pause = open.Count > 1 ? spread / (open.Count - 1) : TimeSpan.Zero;
        var begun = time.GetTimestamp();
        var closing = new HashSet<LongLivedConnection>();
        for (var i = 0; i < open.Count; i++)
        {
            var early = (pause * i) - time.GetElapsedTime(begun);
            if (early > TimeSpan.Zero) await Task.Delay(early, time, cancellation);
            if (member.Wanted == Balancers.MemberState.Ready) return;
            if (member.LongLived.Contains(open[i])) await CloseAsync(member, open[i], closing);
        }

        // A request that was in flight when the closing began may have become a websocket.
        foreach (var late in member.LongLived) await CloseAsync(member, late, closing);
    }

    private static async Task CloseAsync(ProxyMember member, LongLivedConnection connection, HashSet<LongLivedConnection> closing)
    {
        if (!closing.Add(connection)) return;
        member.Counters.CountLongLivedClosed();
        await connection.CloseAsync();
    }
}
