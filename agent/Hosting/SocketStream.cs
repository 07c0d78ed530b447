using System.Net;
using System.Net.Sockets;

namespace Decant.Agent.Hosting;

/// <summary>Connections for HTTP clients whose server is not where their URL says: on a unix socket, or wherever the agent listens.</summary>
internal static class SocketStream
{
    /// <summary>Connects; the stream owns its socket.</summary>
    /// <exception cref="SocketException">Nobody accepts there.</exception>
    public static async ValueTask<Stream> OpenAsync(EndPoint address, CancellationToken cancellation)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(address, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
