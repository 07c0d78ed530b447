using System.Globalization;

namespace Decant.Agent.Instances;

/// <summary>The TCP sockets of this host, from /proc/net/tcp and tcp6 (proc(5)): a look that opens nothing and disturbs nobody.</summary>
internal static class TcpTable
{
    /// <summary>include/net/tcp_states.h: TCP_ESTABLISHED.</summary>
    public const string Established = "01";

    /// <summary>TCP_SYN_SENT.</summary>
    public const string SynSent = "02";

    /// <summary>TCP_LISTEN.</summary>
    public const string Listen = "0A";

    /// <summary>Inodes of the sockets of a local port that are in a state; 0 is one that no process has accepted yet.</summary>
    public static IEnumerable<string> Inodes(int port, string state)
        => Rows("/proc/net").Where(r => r.State == state && PortOf(r.Local) == port).Select(r => r.Inode);

    /// <summary>All sockets, as the kernel prints them.</summary>
    /// <param name="directory">/proc/net, or /proc/PID/net: those of that process's network namespace.</param>
    /// <exception cref="IOException">The process is gone.</exception>
    /// <exception cref="UnauthorizedAccessException">It is another user's.</exception>
    public static IEnumerable<TcpRow> Rows(string directory)
    {
        foreach (var table in new[] { "tcp", "tcp6" })
        {
            var file = $"{directory}/{table}";
            if (!File.Exists(file)) continue;
            foreach (var line in File.ReadLines(file).Skip(1))
            {
                // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
                var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length >= 10) yield return new TcpRow(fields[1], fields[2], fields[3], fields[9]);
            }
        }
    }

    /// <summary>The port of an address as the kernel prints it.</summary>
    public static int PortOf(string address)
        => int.Parse(address.AsSpan(address.LastIndexOf(':') + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}

/// <summary>A socket.</summary>
/// <param name="Local">Its address, in hexadecimal.</param>
/// <param name="Remote">Where it leads, in hexadecimal.</param>
/// <param name="State">As in include/net/tcp_states.h, in hexadecimal.</param>
/// <param name="Inode">What its descriptors are known by: <c>socket:[INODE]</c>.</param>
internal readonly record struct TcpRow(string Local, string Remote, string State, string Inode);
