using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Decant.Benchmarks.Comparison;

/// <summary>
/// Looks at HAProxy every 20 ms from outside, whoever drives it: how long each server that was set to drain still had sessions. That is the
/// requests' own time, not the tool's.
/// </summary>
internal static class DrainWatch
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Watches until it is told to stop; the sum over all servers.</summary>
    public static async Task<TimeSpan> SumAsync(string socket, CancellationToken stop)
    {
        var clock = Stopwatch.StartNew();
        var since = new Dictionary<string, TimeSpan>();
        var took = new Dictionary<string, TimeSpan>();
        using var timer = new PeriodicTimer(Interval);
        while (!stop.IsCancellationRequested)
        {
            foreach (var (server, sessions, status) in await ServersAsync(socket))
            {
                if (took.ContainsKey(server) || !status.StartsWith("DRAIN", StringComparison.Ordinal)) continue;
                since.TryAdd(server, clock.Elapsed);
                if (sessions == 0) took[server] = clock.Elapsed - since[server];
            }

            await timer.WaitForNextTickAsync(CancellationToken.None);
        }

        return took.Values.Aggregate(TimeSpan.Zero, (sum, one) => sum + one);
    }

    private static async Task<List<(string Server, int Sessions, string Status)>> ServersAsync(string path)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        await using var stream = new NetworkStream(socket);
        // Servers of all backends (-1 4 -1); columns as the management guide numbers them: 1 svname, 4 scur, 17 status.
        await stream.WriteAsync(Encoding.ASCII.GetBytes("show stat -1 4 -1\n"));
        using var reader = new StreamReader(stream);
        var text = await reader.ReadToEndAsync();
        return [.. text.Split('\n')
            .Select(line => line.Split(','))
            .Where(fields => fields.Length > 17 && int.TryParse(fields[4], out _))
            .Select(fields => (fields[1], int.Parse(fields[4], System.Globalization.CultureInfo.InvariantCulture), fields[17]))];
    }
}
