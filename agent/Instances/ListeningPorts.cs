namespace Decant.Agent.Instances;

/// <summary>Who listens on a TCP port.</summary>
internal static class ListeningPorts
{
    /// <summary>Whether anybody listens on the port.</summary>
    public static bool IsTaken(int port) => TcpTable.Inodes(port, TcpTable.Listen).Any();

    /// <summary>Who does, for people: <c>pid 4711 (beam.smp)</c>; null when nobody does.</summary>
    public static string? Describe(int port)
    {
        var inodes = TcpTable.Inodes(port, TcpTable.Listen).ToHashSet();
        if (inodes.Count == 0) return null;
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            try
            {
                var links = Directory.EnumerateFiles(Path.Combine(process, "fd")).Select(LinkOf);
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

    /// <summary>Where a descriptor leads; null when it was closed in between, which says nothing of the others.</summary>
    private static string? LinkOf(string descriptor)
    {
        try
        {
            return File.ResolveLinkTarget(descriptor, false)?.Name;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
