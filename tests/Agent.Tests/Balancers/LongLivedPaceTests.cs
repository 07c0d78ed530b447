using Decant.Agent.Balancers;

namespace Decant.Agent.Tests.Balancers;

internal sealed class LongLivedPaceTests
{
    [TestCase(0, 0, 10, 0)]
    [TestCase(999, 0, 10, 0)]
    [TestCase(1000, 0, 10, 0)]
    [TestCase(1500, 0, 10, 1)]
    [TestCase(6000, 0, 10, 5)]
    [TestCase(6000, 4, 6, 1)]
    [TestCase(6000, 7, 3, 0)]
    [TestCase(11_000, 9, 1, 1)]
    [TestCase(60_000, 0, 10, 10)]
    public void The_pace_of_closing_is_even_over_the_window(int elapsedMs, int closed, int open, int due)
    {
        var policy = new LongLivedPolicy(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10));

        Assert.That(LongLivedPace.Due(policy, TimeSpan.FromMilliseconds(elapsedMs), closed, open), Is.EqualTo(due));
    }
}
