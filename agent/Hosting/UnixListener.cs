using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Decant.Agent.Hosting;

/// <summary>The agent's unix socket: a stale one is cleared away, and only its owner and group may connect.</summary>
internal static partial class UnixListener
{
    // statx(2).
    private const int AtFdCwd = -100;
    private const int NoFollow = 0x100;
    private const int StatusBytes = 256;

    private const UnixFileMode SocketMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    private const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;

    /// <summary>Makes room for the socket. Deletes what is there only if it is a socket that nobody listens on.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="key">Where agent.yml has it, for the reason.</param>
    /// <returns>Why it cannot be used, or null.</returns>
    public static string? MakeRoom(string path, string key = "listen.unix")
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!, DirectoryMode);
            if (!Path.Exists(path)) return null;
            if (!IsSocket(path)) return $"{key} {path} is there and is not a socket; name another path, or move it away";
            if (WhyInUse(path, key) is { } reason) return reason;
            File.Delete(path);
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return $"{key} {path} cannot be used: {exception.Message}";
        }
    }

    /// <summary>Restricts the socket, once it is bound.</summary>
    public static void Restrict(string path) => File.SetUnixFileMode(path, SocketMode);

    /// <summary>The group that a file belongs to; null: it cannot be asked.</summary>
    public static uint? GroupOf(string path)
    {
        const uint WantGroup = 0x10;
        Span<byte> status = stackalloc byte[StatusBytes];
        // stx_gid is at byte 24 on every architecture.
        return Statx(AtFdCwd, path, NoFollow, WantGroup, ref MemoryMarshal.GetReference(status)) == 0 ? MemoryMarshal.Read<uint>(status[24..]) : null;
    }

    private static string? WhyInUse(string path, string key)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return $"another process answers on {path}; stop it first, or give this agent its own data_dir and listen addresses";
        }
        catch (SocketException exception)
        {
            return exception.SocketErrorCode == SocketError.ConnectionRefused ? null : $"{key} {path} cannot be used: {exception.Message}";
        }
    }

    // statx(2): stx_mode is at byte 28 on every architecture; its upper four bits are the type.
    private static bool IsSocket(string path)
    {
        const uint WantType = 1;
        const int TypeMask = 0xF000;
        const int TypeSocket = 0xC000;
        Span<byte> status = stackalloc byte[StatusBytes];
        return Statx(AtFdCwd, path, NoFollow, WantType, ref MemoryMarshal.GetReference(status)) == 0
            && (MemoryMarshal.Read<ushort>(status[28..]) & TypeMask) == TypeSocket;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, ref byte status);
}
