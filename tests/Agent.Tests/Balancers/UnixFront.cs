using System.Net.Sockets;

namespace Decant.Agent.Tests.Balancers;

/// <summary>HTTP to a frontend on a unix socket: a test needs no port then.</summary>
internal static class UnixFront
{
    /// <summary>A client.</summary>
    /// <param name="socketPath">Where the frontend listens.</param>
    /// <param name="keepAlive">
    /// Whether connections are kept between requests. A server that reloads may close a kept one just when the next request is sent on it, and
    /// clients ask again then (RFC 9112, 9.3.1); without, nothing excuses a failure.
    /// </param>
    public static HttpClient Client(string socketPath, bool keepAlive)
    {
        var client = new HttpClient(Handler(socketPath))
        {
            BaseAddress = new Uri("http://127.0.0.1"),
            Timeout = TimeSpan.FromSeconds(30),
        };
        client.DefaultRequestHeaders.ConnectionClose = !keepAlive;
        return client;
    }

    /// <summary>What connects to the frontend, whatever the address says.</summary>
    public static SocketsHttpHandler Handler(string socketPath) => new()
    {
        ConnectCallback = async (_, cancellation) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    };
}
