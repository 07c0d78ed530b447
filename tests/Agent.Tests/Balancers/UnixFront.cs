using System.Net.Sockets;

namespace Decant.Agent.Tests.Balancers;

/// <summary>HTTP to a frontend on a unix socket: a test needs no port then.</summary>
internal static class UnixFront
{
    public static HttpClient Client(string socketPath) => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, cancellation) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    {
        BaseAddress = new Uri("http://front"),
        Timeout = TimeSpan.FromSeconds(30),
    };
}
