using System.Collections.Concurrent;
using System.Net.Sockets;
using Grpc.Net.Client;

namespace Decant.Controller.Fleet;

/// <summary>
/// Connections to agents, one for each address, made when first used. The one place that knows how an agent is reached: HTTP/2
/// without TLS over a unix socket or loopback, which is all that agents offer today. Mutual TLS belongs here.
/// </summary>
internal sealed class AgentChannels : IDisposable
{
    private const int LargestMessage = 4 * 1024 * 1024;
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<AgentAddress, Lazy<GrpcChannel>> channels = [];

    /// <summary>The channel to an agent. Does not connect yet.</summary>
    public GrpcChannel To(AgentAddress address) => channels.GetOrAdd(address, a => new Lazy<GrpcChannel>(() => Open(a))).Value;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var channel in channels.Values) channel.Value.Dispose();
    }

    private static GrpcChannel Open(AgentAddress address)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = ConnectTimeout,
            // Steps take minutes without a word: a host that is gone must be noticed all the same.
            KeepAlivePingDelay = PingDelay,
            KeepAlivePingTimeout = PingTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            EnableMultipleHttp2Connections = true,
            UseProxy = false,
        };
        if (address.SocketPath is { } path) handler.ConnectCallback = (_, cancellation) => ConnectAsync(path, cancellation);
        var uri = address.SocketPath is null ? $"http://{address.Host}:{address.Port}" : "http://localhost";
        return GrpcChannel.ForAddress(uri, new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            MaxReceiveMessageSize = LargestMessage,
            MaxSendMessageSize = LargestMessage,
        });
    }

    private static async ValueTask<Stream> ConnectAsync(string path, CancellationToken cancellation)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
