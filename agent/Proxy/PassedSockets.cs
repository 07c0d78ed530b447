using System.Globalization;

namespace Decant.Agent.Proxy;

/// <summary>Listening sockets that the service manager opened and passes to this process, as sd_listen_fds(3) has it.</summary>
internal static class PassedSockets
{
    /// <summary>SD_LISTEN_FDS_START.</summary>
    private const int First = 3;

    /// <summary>Takes them, once.</summary>
    /// <returns>Their file descriptors; none when they are meant for another process.</returns>
    public static IReadOnlyList<int> Take()
    {
        var found = Of(Environment.GetEnvironmentVariable("LISTEN_PID"), Environment.GetEnvironmentVariable("LISTEN_FDS"), Environment.ProcessId);
        foreach (var name in new[] { "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES" }) Environment.SetEnvironmentVariable(name, null);
        return found;
    }

    /// <summary>The file descriptors that the variables name.</summary>
    /// <param name="pid">LISTEN_PID.</param>
    /// <param name="count">LISTEN_FDS.</param>
    /// <param name="ownPid">This process.</param>
    public static IReadOnlyList<int> Of(string? pid, string? count, int ownPid)
        => pid == ownPid.ToString(CultureInfo.InvariantCulture) && int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var sockets)
            ? [.. Enumerable.Range(First, sockets)]
            : [];
}
