using System.Globalization;
using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>
/// kill -9 of agents and controller right before and right after every write of their journals, in deployments of real releases under load. The
/// points are those that the programs come by (kill_points.c): a program dies at its first, in the next deployment at its second, and so on,
/// until a deployment has no such point any more.
/// </summary>
/// <remarks>
/// Four by default, the same each time unless <c>DECANT_TEST_SEED</c> chooses others; all with <c>DECANT_TEST_LONG=1</c>, or those from <c>DECANT_TEST_KILL_FROM</c> to
/// <c>DECANT_TEST_KILL_TO</c>. The agents of a deployment die in the same one, each at its point of that number; the controller dies in one of its own.
/// </remarks>
[Parallelizable(ParallelScope.All)]
public class KillMatrixTests
{
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("DECANT_TEST_LONG") == "1";

    private static readonly int Seed = Setting("DECANT_TEST_SEED") ?? 3;

    [TestCase("rolling", FrontKind.Haproxy, false, "drain_timeout: 10s")]
    [TestCase("blue-green", FrontKind.Embedded, true, "type: blue-green\nkeep_old: 0s\ndrain_timeout: 10s")]
    [CancelAfter(14_400_000)]
    public async Task Whoever_is_killed_at_whichever_write_of_a_journal_the_deployment_ends_well_and_no_request_fails(
        string name, FrontKind balancer, bool twoSlots, string strategy, CancellationToken cancellation)
    {
        await using var fleet = await KilledFleet.StartAsync(balancer, twoSlots, strategy, cancellation);
        var rounds = new List<KillRound>();
        if (IsLong) await AllAsync(fleet, Done, cancellation);
        else await SomeAsync(name, fleet, twoSlots, Done, cancellation);

        var deaths = rounds.SelectMany(r => r.Deaths.Select(d => (Death: d, Round: r))).ToList();
        var well = deaths.Count(d => d.Round.Wrong.Count == 0);
        Tell($"{name}: {well} of {deaths.Count} points ended well: {deaths.Count(d => d.Round.Acts.Count == 0)} by themselves, "
            + $"{deaths.Count(d => d.Round.Acts.Any(a => a.StartsWith("resumed", StringComparison.Ordinal)))} with decant resume, "
            + $"{deaths.Count(d => d.Round.Acts.Any(a => a.StartsWith("deployed", StringComparison.Ordinal)))} with decant deploy once more");
        foreach (var program in deaths.GroupBy(d => d.Death.Program))
        {
            Tell($"  {program.Key}: {program.Count()} points");
            foreach (var place in program.GroupBy(d => d.Death.Place))
                Tell($"    {place.Key}: {place.Count(d => !d.Death.IsAfter)} before, {place.Count(d => d.Death.IsAfter)} after a write");
        }

        Assert.That(rounds.Where(r => r.Wrong.Count > 0).Select(r => $"{r}\n{r.Told}"), Is.Empty);
        Assert.That(deaths, Is.Not.Empty);

        void Done(KillRound round)
        {
            rounds.Add(round);
            Tell($"{name} {rounds.Count}: {round}");
        }
    }

    /// <summary>By the seed, the agents or the controller, each at one point; in the other strategy it is the others' turn.</summary>
    private static async Task SomeAsync(string name, KilledFleet fleet, bool isOther, Action<KillRound> done, CancellationToken cancellation)
    {
        var random = new Random(Seed);
        var dying = (random.Next(2) == 0) == isOther ? fleet.Agents : [fleet.Controller];
        // The first deployment, to empty hosts, has fewer points than those to come.
        var chosen = dying.ToDictionary(p => p, p => random.Next(1, p.Passed + 1));
        Tell($"{name}: DECANT_TEST_SEED={Seed}: {string.Join(", ", chosen.Select(c => $"{c.Key.Name} at point {c.Value} of {c.Key.Passed}"))}");
        done(await fleet.RoundAsync(chosen, cancellation));
    }

    private static async Task AllAsync(KilledFleet fleet, Action<KillRound> done, CancellationToken cancellation)
    {
        var (from, to) = (Setting("DECANT_TEST_KILL_FROM") ?? 1, Setting("DECANT_TEST_KILL_TO") ?? int.MaxValue);
        List<List<KillPoints>> groups = [[.. fleet.Agents], [fleet.Controller]];
        for (var number = from; number <= to && groups.Count > 0; number++)
        {
            foreach (var group in groups.ToList())
            {
                done(await fleet.RoundAsync(group.ToDictionary(p => p, _ => number), cancellation));
                group.RemoveAll(program => program.Death == 0);
                if (group.Count == 0) groups.Remove(group);
            }
        }

        Tell(groups.Count == 0 ? $"from {from}: no deployment has more points" : $"from {from} to {to}: there are more points");
    }

    private static int? Setting(string variable)
        => int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : null;

    private static void Tell(string line) => TestContext.Progress.WriteLine(line);
}
