namespace Decant.Agent.Balancers;

/// <summary>How many long-lived connections are closed by when.</summary>
internal static class LongLivedPace
{
    /// <summary>How many of those that are open have to be closed now.</summary>
    /// <param name="policy">The pace.</param>
    /// <param name="elapsed">Since the drain began.</param>
    /// <param name="closed">Closed so far.</param>
    /// <param name="open">Still open.</param>
    public static int Due(LongLivedPolicy policy, TimeSpan elapsed, int closed, int open)
    {
        if (elapsed < policy.CloseAfter || open == 0) return 0;
        var passed = elapsed - policy.CloseAfter;
        if (passed >= policy.Spread) return open;
        return Math.Max(0, (int)Math.Ceiling((closed + open) * (passed / policy.Spread)) - closed);
    }
}
