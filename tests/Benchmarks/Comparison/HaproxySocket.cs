using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Decant.Benchmarks.Comparison;

/// <summary>HAProxy's runtime API.</summary>
internal sealed class HaproxySocket(string path)
{
    /// <summary>One command and its answer.</summary>
    public async Task<string> AskAsync(string command)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"{command}\n"));
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }

    /// <summary>Every server with its sessions and status.</summary>
    public async Task<IReadOnlyList<(string Server, int Sessions, string Status)>> ServersAsync()
    {
        // Servers of all backends (-1 4 -1); columns as the management guide (9.1) numbers them: 1 svname, 4 scur, 17 status.
        var text = await AskAsync("show stat -1 4 -1");
        return [.. text.Split('\n')
            .Select(line => line.Split(','))
            .Where(fields => fields.Length > 17 && int.TryParse(fields[4], out _))
            .Select(fields => (fields[1], int.Parse(fields[4], CultureInfo.InvariantCulture), fields[17]))];
    }
}
