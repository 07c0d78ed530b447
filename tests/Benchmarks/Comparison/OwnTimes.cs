using Decant.EndToEnd.Harness;
using Decant.Load;

namespace Decant.Benchmarks.Comparison;

/// <summary>The app's own times on this machine while three hosts carry the load: medians of <see cref="Rounds"/> rounds.</summary>
/// <param name="Boot">One instance, from its start until it is healthy.</param>
/// <param name="Stop">One instance without requests, until its process is gone.</param>
/// <param name="BusyStop">One instance with its share of the requests that take a second: it finishes those in flight first.</param>
/// <param name="BootTogether">Three at once, until the last is healthy.</param>
/// <param name="BusyStopTogether">Three at once, with requests, until the last is gone.</param>
internal sealed record OwnTimes(TimeSpan Boot, TimeSpan Stop, TimeSpan BusyStop, TimeSpan BootTogether, TimeSpan BusyStopTogether)
{
    private const int Rounds = 5;

    /// <summary>Measures them.</summary>
    public static async Task<OwnTimes> MeasureAsync(double rate, CancellationToken cancellation)
    {
        await using var fleet = new ComparedFleet();
        var archive = await DemoRelease.BuildAsync("1.0.0", fleet.Directory, cancellation);
        var root = Path.Combine(fleet.Directory, "alone");
        await AppAlone.UnpackAsync(archive, root, cancellation);
        await fleet.StartHaproxyAsync(fleet.Hosts.Select(h => (h.Name, h.Port)), cancellation);
        await using var web1 = await AppAlone.StartAsync(root, fleet.Environment("web1", fleet.Hosts[0].Port), cancellation);
        await using var web2 = await AppAlone.StartAsync(root, fleet.Environment("web2", fleet.Hosts[1].Port), cancellation);
        await using var web3 = await AppAlone.StartAsync(root, fleet.Environment("web3", fleet.Hosts[2].Port), cancellation);

        var load = LoadRun.Start(ComparisonBenchmark.LoadOf(fleet.Url, rate));
        try
        {
            // The first seconds are the load generator's own warm-up.
            await Task.Delay(TimeSpan.FromSeconds(4), cancellation);
            var idle = await RoundsAsync(fleet, root, 1, busy: false, cancellation);
            var busy = await RoundsAsync(fleet, root, 1, busy: true, cancellation);
            var together = await RoundsAsync(fleet, root, ComparedFleet.Count, busy: true, cancellation);
            return new OwnTimes(idle.Boot, idle.Stop, busy.Stop, together.Boot, together.Stop);
        }
        finally
        {
            await load.StopAsync();
        }
    }

    private static async Task<(TimeSpan Boot, TimeSpan Stop)> RoundsAsync(
        ComparedFleet fleet, string root, int instances, bool busy, CancellationToken cancellation)
    {
        var (boots, stops) = (new Samples(), new Samples());
        for (var round = 0; round < Rounds; round++)
        {
            var apps = await Task.WhenAll(Enumerable.Range(0, instances).Select(_ =>
            {
                var port = fleet.NextPort();
                return StartAsync(root, fleet.Environment("alone", port), busy, cancellation);
            }));
            // Requests in flight are to be at any point of their second.
            if (busy) await Task.Delay(TimeSpan.FromMilliseconds(1500 + (round * 1000 / Rounds)), cancellation);
            var ends = await Task.WhenAll(apps.Select(app => app.App.StopAsync(cancellation)));
            boots.Add(apps.Max(app => app.App.Boot));
            stops.Add(ends.Max());
            foreach (var (app, load) in apps)
            {
                await app.DisposeAsync();
                if (load is not null) await load.StopAsync();
            }
        }

        return (TimeSpan.FromSeconds(boots.Median), TimeSpan.FromSeconds(stops.Median));
    }

    private static async Task<(AppAlone App, LoadRun? Load)> StartAsync(
        string root, IReadOnlyDictionary<string, string> environment, bool busy, CancellationToken cancellation)
    {
        var app = await AppAlone.StartAsync(root, environment, cancellation);
        return (app, busy ? LoadRun.Start(ComparisonBenchmark.SlowShareOf(new Uri($"http://127.0.0.1:{environment["PORT"]}"))) : null);
    }
}
