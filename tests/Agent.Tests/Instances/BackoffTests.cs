using CsCheck;
using Decant.Agent.Configuration;
using Decant.Agent.Instances;

namespace Decant.Agent.Tests.Instances;

public class BackoffTests
{
    private static readonly RestartSettings Defaults = new();

    [Test]
    public void The_wait_doubles_from_the_first_to_the_longest_and_stays_there()
    {
        var backoff = new Backoff(Defaults, 0);
        var waits = new List<double> { backoff.Wait.TotalSeconds };
        for (var i = 0; i < 9; i++)
        {
            backoff = backoff.After(TimeSpan.Zero);
            waits.Add(backoff.Wait.TotalSeconds);
        }

        Assert.That(waits, Is.EqualTo(new double[] { 0, 1, 2, 4, 8, 16, 32, 60, 60, 60 }));
    }

    [Test]
    public void A_run_that_was_long_enough_begins_again_with_the_first_wait()
    {
        var after = Enumerable.Range(0, 5).Aggregate(new Backoff(Defaults, 0), (b, _) => b.After(TimeSpan.FromSeconds(59.9)));

        Assert.Multiple(() =>
        {
            Assert.That(after.Wait, Is.EqualTo(TimeSpan.FromSeconds(16)));
            Assert.That(after.After(TimeSpan.FromSeconds(60)).Wait, Is.EqualTo(TimeSpan.FromSeconds(1)));
        });
    }

    [Test]
    public void Whatever_the_settings_it_never_shrinks_while_it_dies_young_and_never_leaves_its_bounds()
        => Gen.Select(Gen.Long[1, 3_600_000_0000], Gen.Long[0, 36_000_000_0000], Gen.Int[1, 100_000]).Sample((min, more, failures) =>
        {
            var settings = new RestartSettings { BackoffMin = TimeSpan.FromTicks(min), BackoffMax = TimeSpan.FromTicks(min + more) };
            var wait = new Backoff(settings, failures).Wait;
            return wait >= settings.BackoffMin && wait <= settings.BackoffMax && new Backoff(settings, failures + 1).Wait >= wait;
        });
}
