using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>TCP connections of a process, from /proc (proc(5), net/tcp): a look that opens nothing and disturbs nobody.</summary>
internal static class ProcessConnections
{
    // States of linux/net/tcp_states.h in which the other side still has work: ESTABLISHED and SYN_SENT.
    private static readonly string[] Open = ["01", "02"];

    /// <summary>Where its connections lead: how many to each end point.</summary>
    /// <returns>Null when the process cannot be looked into (another user's); nothing when it is gone.</returns>
    public static IReadOnlyDictionary<IPEndPoint, int>? Of(int pid, IReadOnlySet<IPEndPoint> targets)
    {
        var found = new Dictionary<IPEndPoint, int>();
        try
        {
            var sockets = new Dictionary<string, IPEndPoint>();
            foreach (var table in new[] { "tcp", "tcp6" })
            {
                var file = $"/proc/{pid}/net/{table}";
                if (!File.Exists(file)) continue;
                foreach (var line in File.ReadLines(file).Skip(1))
                {
                    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
                    var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                    if (fields.Length >= 10 && Open.Contains(fields[3]) && EndPoint(fields[2]) is { } remote && targets.Contains(remote))
                        sockets[$"socket:[{fields[9]}]"] = remote;
                }
            }

            // Its descriptors are many; they are read only when anybody on this host is connected there.
            if (sockets.Count == 0) return found;
            foreach (var descriptor in Directory.EnumerateFiles($"/proc/{pid}/fd"))
            {
                if (Target(descriptor) is { } target && sockets.TryGetValue(target, out var remote))
                    found[remote] = found.GetValueOrDefault(remote) + 1;
            }
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
        catch (IOException)
        {
            // It has ended in between, and its connections with it.
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
        return new IPEndPoint(
            address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, int.Parse(text.AsSpan(colon + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
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
