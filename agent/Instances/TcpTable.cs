using System.Globalization;

namespace Decant.Agent.Instances;

/// <summary>The TCP sockets of this host, from /proc/net/tcp and tcp6 (proc(5)): a look that opens nothing and disturbs nobody.</summary>
internal static class TcpTable
{
    /// <summary>include/net/tcp_states.h: TCP_ESTABLISHED.</summary>
    public const string Established = "01";

    /// <summary>TCP_LISTEN.</summary>
    public const string Listen = "0A";

    /// <summary>Inodes of the sockets of a local port that are in a state; 0 is one that no process has accepted yet.</summary>
    public static IEnumerable<string> Inodes(int port, string state)
    {
        foreach (var file in new[] { "/proc/net/tcp", "/proc/net/tcp6" })
        {
            if (!File.Exists(file)) continue;
            foreach (var line in File.ReadLines(file).Skip(1))
            {
                // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
                var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length < 10 || fields[3] != state) continue;
                var local = fields[1];
                if (int.Parse(local.AsSpan(local.LastIndexOf(':') + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture) == port)
                    yield return fields[9];
            }
        }
    }
}
