using System.Net.Sockets;

namespace Decant.Agent.Hosting;

/// <summary>The agent's unix socket: a stale one is cleared away, and only its owner and group may connect.</summary>
internal static class UnixListener
{
    private const UnixFileMode SocketMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    /// <summary>Makes room for the socket.</summary>
    /// <param name="path">Absolute path.</param>
    /// <returns>Why it cannot be used (another agent answers on it), or null.</returns>
    public static string? MakeRoom(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (!File.Exists(path)) return null;

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return $"another process answers on {path}";
        }
        catch (SocketException)
        {
            File.Delete(path);
            return null;
        }
    }

    /// <summary>Restricts the socket, once it is bound.</summary>
    public static void Restrict(string path) => File.SetUnixFileMode(path, SocketMode);
}
