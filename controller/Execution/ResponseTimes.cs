using Decant.Controller.Fleet;

namespace Decant.Controller.Execution;

/// <summary>
/// Balancers tell a moving average of the time to answer. Just after a cutover it is mostly the old release's, so a canary would look better, or
/// worse, than it is: what was answered since an earlier look is what has to be compared. Pure.
/// </summary>
internal static class ResponseTimes
{
    /// <summary>
    /// Below this share of the average the answers since cannot be told from rounding: HAProxy tells whole milliseconds. It is reached after a
    /// quarter of the window and some.
    /// </summary>
    public const double SmallestShare = 0.25;

    /// <summary>The average time, in milliseconds, of the answers since an earlier look; null when there were too few to tell.</summary>
    /// <param name="before">The member at the earlier look; null when its counters began after it.</param>
    /// <param name="now">The member now.</param>
    public static double? Since(ObservedMember? before, ObservedMember now)
    {
        if (now.ResponseTimeMs <= 0) return null;
        if (before is null || before.Answers == 0 || now.ResponseTimeWindow == 0) return now.ResponseTimeMs;
        var share = 1 - ShareLeft(before.Answers, now.Answers, now.ResponseTimeWindow);
        return share < SmallestShare ? null : Math.Max(0, (now.ResponseTimeMs - ((1 - share) * before.ResponseTimeMs)) / share);
    }

    /// <summary>
    /// What is left of an average over the first <paramref name="before"/> answers after <paramref name="now"/> of them. As long as there are fewer than
    /// the window all count the same; from then on each new one takes one part in <paramref name="window"/> of all that came before
    /// (HAProxy: swrate_add in include/haproxy/freq_ctr.h, TIME_STATS_SAMPLES).
    /// </summary>
    private static double ShareLeft(long before, long now, int window)
    {
        var filling = before >= window ? 1 : (double)before / Math.Min(now, window);
        var sliding = Math.Max(0, now - Math.Max(before, window));
        return filling * Math.Pow(1 - (1.0 / window), sliding);
    }
}
