using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Decant.Agent.Security;

/// <summary>The process at the other end of a unix socket, as the kernel knew it when it connected (unix(7), SO_PEERCRED).</summary>
/// <param name="UserId">Its effective user.</param>
/// <param name="Groups">Its effective group, and its supplementary ones.</param>
internal sealed partial record PeerCredentials(uint UserId, IReadOnlyList<uint> Groups)
{
    // socket(7): SOL_SOCKET and its options; the same on every architecture that .NET runs on.
    private const int SolSocket = 1;
    private const int PeerCred = 17;
    private const int PeerGroups = 59;

    // More than that a process may have, the kernel says so (NGROUPS_MAX), but a connection with more is refused rather than guessed.
    private const int MostGroups = 4096;

    /// <summary>The user that this process runs as.</summary>
    public static uint OwnUser { get; } = EffectiveUser();

    /// <summary>Reads them.</summary>
    /// <exception cref="SocketException">It is not a unix socket.</exception>
    public static PeerCredentials Of(Socket socket)
    {
        // struct ucred: pid, uid, gid.
        Span<uint> process = stackalloc uint[3];
        socket.GetRawSocketOption(SolSocket, PeerCred, MemoryMarshal.AsBytes(process));
        var groups = new uint[MostGroups];
        var bytes = socket.GetRawSocketOption(SolSocket, PeerGroups, MemoryMarshal.AsBytes(groups.AsSpan()));
        return new PeerCredentials(process[1], [process[2], .. groups.AsSpan(0, bytes / sizeof(uint))]);
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();
}
