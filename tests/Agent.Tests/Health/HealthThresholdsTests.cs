using Decant.Agent.Health;

namespace Decant.Agent.Tests.Health;

public class HealthThresholdsTests
{
    [Test]
    public void Every_sequence_of_results_makes_it_healthy_after_rise_successes_and_unhealthy_after_fall_failures(
        [Values(1, 2, 3)] int rise, [Values(1, 2, 3)] int fall)
    {
        const int Length = 9;
        for (var bits = 0; bits < 1 << Length; bits++)
        {
            var seen = new List<bool>();
            var thresholds = HealthThresholds.Of(AgentHost.Check(new HealthProbe.Tcp(), rise, fall));
            Assert.That(thresholds.Seen.IsHealthy, Is.False, "it begins unhealthy");
            for (var i = 0; i < Length; i++)
            {
                var good = (bits >> i & 1) == 1;
                seen.Add(good);
                thresholds = thresholds.After(good ? null : $"failure {i}");

                // Said another way: the last streak that was long enough decides.
                Assert.That(thresholds.Seen.IsHealthy, Is.EqualTo(LastDecisive(seen, rise, fall)), string.Join(',', seen));
                Assert.That(thresholds.Seen.Successes, Is.EqualTo(Streak(seen, true)));
                Assert.That(thresholds.Seen.Failures, Is.EqualTo(Streak(seen, false)));
                Assert.That(thresholds.Seen.LastFailure, Is.EqualTo(good ? "" : $"failure {i}"));
            }
        }
    }

    private static bool LastDecisive(List<bool> seen, int rise, int fall)
    {
        for (var end = seen.Count; end > 0; end--)
        {
            var before = seen.Take(end).ToList();
            if (Streak(before, true) >= rise) return true;
            if (Streak(before, false) >= fall) return false;
        }

        return false;
    }

    private static int Streak(List<bool> seen, bool value) => seen.AsEnumerable().Reverse().TakeWhile(v => v == value).Count();
}
