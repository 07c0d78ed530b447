using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Decant.Agent.Instances;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>TCP connections of processes, from /proc (proc(5), net/tcp): a look that opens nothing and disturbs nobody.</summary>
internal static class ProcessConnections
{
    private static readonly Dictionary<IPEndPoint, int> Nothing = [];

    // States in which the other side still has work.
    private static readonly string[] Open = [TcpTable.Established, TcpTable.SynSent];

    /// <summary>Where the connections of processes lead: how many to each end point. The host's sockets are read once for all of them.</summary>
    /// <param name="pids">Processes of one network namespace.</param>
    /// <param name="targets">End points that are looked for.</param>
    /// <returns>For each process; null when it cannot be looked into (another user's), nothing when it is gone.</returns>
    public static IReadOnlyList<IReadOnlyDictionary<IPEndPoint, int>?> Of(IEnumerable<int> pids, IReadOnlySet<IPEndPoint> targets)
    {
        Dictionary<string, IPEndPoint>? sockets = null;
        var found = new List<IReadOnlyDictionary<IPEndPoint, int>?>();
        foreach (var pid in pids)
        {
            try
            {
                sockets ??= SocketsTo(targets, pid);
                // Its descriptors are many; they are read only when anybody on this host is connected there.
                found.Add(sockets.Count == 0 ? Nothing : Of(pid, sockets));
            }
            catch (UnauthorizedAccessException)
            {
                found.Add(null);
            }
            catch (IOException)
            {
                // It has ended in between, and its connections with it.
                found.Add(Nothing);
            }
        }

        return found;
    }

    /// <summary>The end points that an address of a configuration stands for; none when its name does not resolve.</summary>
    public static async Task<IReadOnlyList<IPEndPoint>> ResolveAsync(string address, CancellationToken cancellation)
    {
        if (!MemberAddress.TryParse(address, out var target, out _)) return [];
        if (IPAddress.TryParse(target.Host, out var literal)) return [new IPEndPoint(literal, target.Port)];
        try
        {
            return [.. (await Dns.GetHostAddressesAsync(target.Host, cancellation)).Select(a => new IPEndPoint(a, target.Port))];
        }
        catch (SocketException)
        {
            return [];
        }
    }

    private static Dictionary<string, IPEndPoint> SocketsTo(IReadOnlySet<IPEndPoint> targets, int pid)
    {
        var sockets = new Dictionary<string, IPEndPoint>();
        foreach (var row in TcpTable.Rows($"/proc/{pid}/net"))
        {
            if (Open.Contains(row.State) && EndPoint(row.Remote) is { } remote && targets.Contains(remote)) sockets[$"socket:[{row.Inode}]"] = remote;
        }

        return sockets;
    }

    private static Dictionary<IPEndPoint, int> Of(int pid, Dictionary<string, IPEndPoint> sockets)
    {
        var found = new Dictionary<IPEndPoint, int>();
        foreach (var descriptor in Directory.EnumerateFiles($"/proc/{pid}/fd"))
        {
            if (Target(descriptor) is { } target && sockets.TryGetValue(target, out var remote)) found[remote] = found.GetValueOrDefault(remote) + 1;
        }

        return found;
    }

    /// <summary>An address as the kernel prints it: its 32-bit words in the machine's byte order, in hexadecimal.</summary>
    private static IPEndPoint? EndPoint(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon is not (8 or 32)) return null;
        var bytes = new byte[colon / 2];
        for (var word = 0; word < colon / 8; word++)
        {
            var value = uint.Parse(text.AsSpan(word * 8, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            MemoryMarshal.Write(bytes.AsSpan(word * 4), value);
        }

        var address = new IPAddress(bytes);
        return new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, TcpTable.PortOf(text));
    }

    private static string? Target(string descriptor)
    {
        try
        {
            return File.ResolveLinkTarget(descriptor, returnFinalTarget: false)?.Name;
        }
        catch (IOException)
        {
            // Closed in between.
            return null;
        }
    }
}
