using System.Globalization;

namespace Decant.Agent.Instances;

/// <summary>Who listens on a TCP port, from /proc/net/tcp and tcp6 (proc(5)): a look that opens nothing and disturbs nobody.</summary>
internal static class ListeningPorts
{
    private const string Listen = "0A";

    /// <summary>Whether anybody listens on the port.</summary>
    public static bool IsTaken(int port) => Sockets(port).Any();

    /// <summary>Who does, for people: <c>pid 4711 (beam.smp)</c>; null when nobody does.</summary>
    public static string? Describe(int port)
    {
        var inodes = Sockets(port).ToHashSet();
        if (inodes.Count == 0) return null;
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            try
            {
                var links = Directory.EnumerateFiles(Path.Combine(process, "fd")).Select(fd => File.ResolveLinkTarget(fd, false)?.Name);
                if (links.Any(link => link is not null && inodes.Any(inode => link == $"socket:[{inode}]")))
                    return $"pid {Path.GetFileName(process)} ({File.ReadAllText(Path.Combine(process, "comm")).Trim()})";
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It ended in between, or it is another user's.
                continue;
            }
        }

        return "a process of another user";
    }

    private static IEnumerable<string> Sockets(int port)
    {
        foreach (var file in new[] { "/proc/net/tcp", "/proc/net/tcp6" })
        {
            if (!File.Exists(file)) continue;
            foreach (var line in File.ReadLines(file).Skip(1))
            {
                // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
                var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length < 10 || fields[3] != Listen) continue;
                var local = fields[1];
                if (int.Parse(local.AsSpan(local.LastIndexOf(':') + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture) == port)
                    yield return fields[9];
            }
        }
    }
}
