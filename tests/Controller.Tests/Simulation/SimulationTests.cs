using System.Globalization;

namespace Decant.Controller.Tests.Simulation;

/// <summary>Deployments of all kinds in all weathers. A seed that fails is printed; DECANT_SIM_SEED=N prints all that happens in it.</summary>
public class SimulationTests
{
    private const int Usual = 400;
    private const int Long = 100_000;

    [Test]
    public void Whatever_goes_wrong_no_rule_is_broken_and_everything_serves_in_the_end()
    {
        var count = Number("DECANT_SIM_COUNT") ?? (Environment.GetEnvironmentVariable("DECANT_TEST_LONG") == "1" ? Long : Usual);
        var first = Number("DECANT_SIM_FIRST") ?? 1;
        var broken = new List<Story>();
        var ends = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var gate = new Lock();
        // Each schedule is played by one thread alone; two of them do not know of each other.
        Parallel.For(first, first + count, seed =>
        {
            var story = Schedule.Play(seed);
            lock (gate)
            {
                if (story.Broken.Count > 0) broken.Add(story);
                foreach (var end in story.Ends) ends[end] = ends.GetValueOrDefault(end) + 1;
            }
        });

        broken.Sort((one, other) => one.Seed - other.Seed);
        TestContext.Out.WriteLine($"{count} schedules from seed {first}: {string.Join(", ", ends.Select(e => $"{e.Key} {e.Value}"))}");
        Assert.That(broken.Count, Is.Zero, () => $"{broken.Count} of {count} schedules break a rule; DECANT_SIM_SEED=N shows one:\n"
            + string.Join('\n', broken.Take(40).Select(b => $"{b.Seed}: {b.Broken[0]}")));
    }

    [Test]
    public void A_seed_tells_the_same_story_twice()
    {
        for (var seed = 1; seed <= 50; seed++)
        {
            var first = Schedule.Play(seed, isTraced: true);
            var again = Schedule.Play(seed, isTraced: true);
            Assert.That(again.Trace, Is.EqualTo(first.Trace), $"seed {seed}");
        }
    }

    [Test]
    public void One_seed_alone_is_shown_with_all_that_happens()
    {
        if (Number("DECANT_SIM_SEED") is not { } seed) return;
        var story = Schedule.Play(seed, isTraced: true);
        foreach (var line in story.Trace) TestContext.Out.WriteLine(line);
        Assert.That(story.Broken, Is.Empty);
    }

    private static int? Number(string variable)
        => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;
}
