using Decant.EndToEnd.Harness;
using Decant.Load;

namespace Decant.Benchmarks.Comparison;

/// <summary>
/// The app's own times on this machine under the load, with nobody who deploys: medians of <see cref="Rounds"/> rounds. Measured on more members of
/// the same backend, since an app that has carried traffic stops more slowly than one that has not.
/// </summary>
/// <param name="Boot">One instance, from its start until it is healthy.</param>
/// <param name="Stop">One instance that was drained, until its process is gone.</param>
/// <param name="BusyStop">One instance that was not: it finishes the requests in flight first.</param>
/// <param name="BootTogether">Three at once, until the last is healthy.</param>
/// <param name="BusyStopTogether">Three at once that were not drained, until the last is gone.</param>
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
        await fleet.StartHaproxyAsync(fleet.Hosts.SelectMany(h => new[] { (h.Name, h.Port), (More(h), h.SecondPort) }), cancellation);
        await using var web1 = await AppAlone.StartAsync(root, fleet.Environment("web1", fleet.Hosts[0].Port), cancellation);
        await using var web2 = await AppAlone.StartAsync(root, fleet.Environment("web2", fleet.Hosts[1].Port), cancellation);
        await using var web3 = await AppAlone.StartAsync(root, fleet.Environment("web3", fleet.Hosts[2].Port), cancellation);

        var load = LoadRun.Start(ComparisonBenchmark.LoadOf(fleet.Url, rate));
        try
        {
            await Task.Delay(ComparisonBenchmark.WarmUp, cancellation);
            var drained = await RoundsAsync(fleet, root, fleet.Hosts.Take(1), drain: true, cancellation);
            var busy = await RoundsAsync(fleet, root, fleet.Hosts.Take(1), drain: false, cancellation);
            var together = await RoundsAsync(fleet, root, fleet.Hosts, drain: false, cancellation);
            return new OwnTimes(drained.Boot, drained.Stop, busy.Stop, together.Boot, together.Stop);
        }
        finally
        {
            await load.StopAsync();
        }
    }

    private static async Task<(TimeSpan Boot, TimeSpan Stop)> RoundsAsync(
        ComparedFleet fleet, string root, IEnumerable<ComparedHost> hosts, bool drain, CancellationToken cancellation)
    {
        var (boots, stops) = (new Samples(), new Samples());
        for (var round = 0; round < Rounds; round++)
        {
            var apps = await Task.WhenAll(hosts.Select(h => AppAlone.StartAsync(root, fleet.Environment(More(h), h.SecondPort), cancellation)));
            // Traffic comes to it, and requests in flight are to be at any point of their second.
            await Task.Delay(TimeSpan.FromMilliseconds(1500 + (round * 1000 / Rounds)), cancellation);
            if (drain) foreach (var host in hosts) await DrainAsync(fleet.Haproxy, More(host), cancellation);
            var ends = await Task.WhenAll(apps.Select(app => app.StopAsync(cancellation)));
            if (drain) foreach (var host in hosts) await fleet.Haproxy.AskAsync($"set server demo/{More(host)} state ready");
            boots.Add(apps.Max(app => app.Boot));
            stops.Add(ends.Max());
            foreach (var app in apps) await app.DisposeAsync();
        }

        return (TimeSpan.FromSeconds(boots.Median), TimeSpan.FromSeconds(stops.Median));
    }

    private static async Task DrainAsync(HaproxySocket haproxy, string member, CancellationToken cancellation)
    {
        await haproxy.AskAsync($"set server demo/{member} state drain");
        await Eventually.TrueAsync(
            async () => (await haproxy.ServersAsync()).Single(s => s.Server == member).Sessions == 0, $"{member} is drained", cancellation);
    }

    private static string More(ComparedHost host) => $"{host.Name}-more";
}
