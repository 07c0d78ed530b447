using System.Diagnostics;

namespace Decant.Benchmarks.Comparison;

/// <summary>
/// Looks at HAProxy every 20 ms from outside, whoever drives it: how long each server that was set to drain still had sessions. That is the
/// requests' own time, not the tool's.
/// </summary>
internal static class DrainWatch
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Watches until it is told to stop; the sum over all servers.</summary>
    public static async Task<TimeSpan> SumAsync(HaproxySocket haproxy, CancellationToken stop)
    {
        var clock = Stopwatch.StartNew();
        var since = new Dictionary<string, TimeSpan>();
        var took = new Dictionary<string, TimeSpan>();
        using var timer = new PeriodicTimer(Interval);
        while (!stop.IsCancellationRequested)
        {
            foreach (var (server, sessions, status) in await haproxy.ServersAsync())
            {
                if (took.ContainsKey(server) || !status.StartsWith("DRAIN", StringComparison.Ordinal)) continue;
                since.TryAdd(server, clock.Elapsed);
                if (sessions == 0) took[server] = clock.Elapsed - since[server];
            }

            await timer.WaitForNextTickAsync(CancellationToken.None);
        }

        return took.Values.Aggregate(TimeSpan.Zero, (sum, one) => sum + one);
    }
}
