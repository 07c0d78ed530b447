using Decant.EndToEnd.Harness;
using Decant.Load;

namespace Decant.Benchmarks.Comparison;

/// <summary>
/// The app's own times on this machine under the load: what remains of a deployment when a hand without any delay does it. Stops are of
/// instances that carry traffic, boots of releases that were unpacked just before: both take longer than those of an idle, warm app. Medians.
/// </summary>
/// <param name="Boot">One instance, from its start until it is healthy.</param>
/// <param name="Stop">One instance that was drained, until its process is gone.</param>
/// <param name="BusyStop">One instance that was not: it finishes the requests in flight first.</param>
/// <param name="BootTogether">Three at once, until the last is healthy.</param>
/// <param name="BusyStopTogether">Three at once that were not drained, until the last is gone.</param>
internal sealed record OwnTimes(TimeSpan Boot, TimeSpan Stop, TimeSpan BusyStop, TimeSpan BootTogether, TimeSpan BusyStopTogether)
{
    private const int Rounds = 3;

    /// <summary>Measures them.</summary>
    public static async Task<OwnTimes> MeasureAsync(double rate, CancellationToken cancellation)
    {
        await using var fleet = new ComparedFleet();
        var archive = await DemoRelease.BuildAsync("2.0.0", fleet.Directory, cancellation, "--migrations", "4");
        await fleet.StartHaproxyAsync(fleet.Hosts.SelectMany(h => new[] { (h.Name, h.Port), (Other(h), h.SecondPort) }), cancellation);
        var running = new List<AppAlone>();
        foreach (var host in fleet.Hosts) running.Add(await StartFreshAsync(fleet, archive, host.Name, host.Port, cancellation));

        var load = LoadRun.Start(ComparisonBenchmark.LoadOf(fleet.Url, rate));
        try
        {
            await Task.Delay(ComparisonBenchmark.WarmUp, cancellation);
            var drained = await InTurnAsync(fleet, archive, running, drain: true, cancellation);
            var busy = await InTurnAsync(fleet, archive, running, drain: false, cancellation);
            var together = await TogetherAsync(fleet, archive, running, cancellation);
            return new OwnTimes(Seconds(drained.Boots), Seconds(drained.Stops), Seconds(busy.Stops), Seconds(together.Boots), Seconds(together.Stops));
        }
        finally
        {
            await load.StopAsync();
        }
    }

    /// <summary>Host after host, as a rolling deployment does it.</summary>
    private static async Task<(Samples Boots, Samples Stops)> InTurnAsync(
        ComparedFleet fleet, string archive, List<AppAlone> running, bool drain, CancellationToken cancellation)
    {
        var (boots, stops) = (new Samples(), new Samples());
        for (var turn = 0; turn < Rounds * ComparedFleet.Count; turn++)
        {
            var at = turn % ComparedFleet.Count;
            var host = fleet.Hosts[at];
            await SettleAsync(turn, cancellation);
            var directory = await UnpackAsync(fleet, archive, cancellation);
            if (drain) await DrainAsync(fleet.Haproxy, host.Name, cancellation);
            stops.Add(await running[at].StopAsync(cancellation));
            await running[at].DisposeAsync();
            running[at] = await AppAlone.StartAsync(directory, fleet.Environment(host.Name, host.Port), cancellation);
            boots.Add(running[at].Boot);
            if (drain) await fleet.Haproxy.AskAsync($"set server demo/{host.Name} state ready");
        }

        return (boots, stops);
    }

    /// <summary>All at once beside the old ones, as a switch of blue and green does it.</summary>
    private static async Task<(Samples Boots, Samples Stops)> TogetherAsync(
        ComparedFleet fleet, string archive, List<AppAlone> running, CancellationToken cancellation)
    {
        var (boots, stops) = (new Samples(), new Samples());
        for (var round = 0; round < Rounds; round++)
        {
            var next = new List<(string Directory, string Node, int Port)>();
            foreach (var host in fleet.Hosts)
                next.Add((await UnpackAsync(fleet, archive, cancellation), Other(host), round % 2 == 0 ? host.SecondPort : host.Port));
            var started = await Task.WhenAll(next.Select(n => AppAlone.StartAsync(n.Directory, fleet.Environment(n.Node, n.Port), cancellation)));
            boots.Add(started.Max(app => app.Boot));
            await SettleAsync(round, cancellation);
            var ends = await Task.WhenAll(running.Select(app => app.StopAsync(cancellation)));
            stops.Add(ends.Max());
            foreach (var app in running) await app.DisposeAsync();
            running.Clear();
            running.AddRange(started);
        }

        return (boots, stops);
    }

    /// <summary>Traffic comes to what was started; requests in flight are to be at any point of their second.</summary>
    private static Task SettleAsync(int turn, CancellationToken cancellation)
        => Task.Delay(TimeSpan.FromMilliseconds(1000 + (turn * 370 % 1000)), cancellation);

    private static async Task<AppAlone> StartFreshAsync(ComparedFleet fleet, string archive, string node, int port, CancellationToken cancellation)
        => await AppAlone.StartAsync(await UnpackAsync(fleet, archive, cancellation), fleet.Environment(node, port), cancellation);

    private static async Task<string> UnpackAsync(ComparedFleet fleet, string archive, CancellationToken cancellation)
    {
        var directory = Path.Combine(fleet.Directory, "unpacked", Guid.NewGuid().ToString("N"));
        await AppAlone.UnpackAsync(archive, directory, cancellation);
        return directory;
    }

    private static async Task DrainAsync(HaproxySocket haproxy, string member, CancellationToken cancellation)
    {
        await haproxy.AskAsync($"set server demo/{member} state drain");
        await Eventually.TrueAsync(
            async () => (await haproxy.ServersAsync()).Single(s => s.Server == member).Sessions == 0, $"{member} is drained", cancellation);
    }

    private static TimeSpan Seconds(Samples samples) => TimeSpan.FromSeconds(samples.Median);

    private static string Other(ComparedHost host) => $"{host.Name}-other";
}
