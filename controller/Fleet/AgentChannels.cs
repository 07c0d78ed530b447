using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Decant.Controller.Security;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace Decant.Controller.Fleet;

/// <summary>
/// Connections to agents, made when first used: one for each address, and another one for archives, so that no question waits behind
/// megabytes on a slow link. The one place that knows how an agent is reached: HTTP/2 with mutual TLS, or without it over a unix socket or loopback.
/// </summary>
/// <param name="time">Measures deadlines.</param>
/// <param name="timings">When an agent counts as gone.</param>
/// <param name="identities">Who the operator is.</param>
internal sealed class AgentChannels(TimeProvider time, CallTimings timings, OperatorIdentities identities) : IDisposable
{
    private const int LargestMessage = 4 * 1024 * 1024;

    // tcp(7); .NET has no name for it.
    private const int TcpUserTimeout = 18;

    private readonly ConcurrentDictionary<(AgentAddress Address, bool Bulk), Lazy<(GrpcChannel Channel, CallInvoker Calls)>> channels = [];

    /// <summary>When an agent counts as gone.</summary>
    public CallTimings Timings => timings;

    /// <summary>When a short question that is asked now must be answered.</summary>
    public DateTime Deadline(TimeSpan within) => time.GetUtcNow().UtcDateTime + within;

    /// <summary>Calls to an agent. Does not connect yet.</summary>
    public CallInvoker To(AgentAddress address) => Get(address, bulk: false);

    /// <summary>Calls to an agent that carry an archive.</summary>
    public CallInvoker BulkTo(AgentAddress address) => Get(address, bulk: true);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var channel in channels.Values) channel.Value.Channel.Dispose();
    }

    private CallInvoker Get(AgentAddress address, bool bulk)
        => channels.GetOrAdd((address, bulk), key => new Lazy<(GrpcChannel, CallInvoker)>(() => Open(key.Address, key.Bulk))).Value.Calls;

    private (GrpcChannel Channel, CallInvoker Calls) Open(AgentAddress address, bool bulk)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = timings.Connect,
            // Steps take minutes without a word: a host that is gone must be noticed all the same.
            KeepAlivePingDelay = timings.PingDelay,
            KeepAlivePingTimeout = bulk ? timings.BulkPingTimeout : timings.PingTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            EnableMultipleHttp2Connections = true,
            UseProxy = false,
            ConnectCallback = (to, cancellation) => ConnectAsync(address, to.DnsEndPoint, bulk, cancellation),
        };
        var uri = address.SocketPath is null ? $"{(address.CertifiedName is null ? "http" : "https")}://{address.Host}:{address.Port}" : "http://localhost";
        var channel = GrpcChannel.ForAddress(uri, new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            MaxReceiveMessageSize = LargestMessage,
            MaxSendMessageSize = LargestMessage,
        });
        return (channel, channel.Intercept(new MeasuredDeadlines(time, timings.Answer)));
    }

    /// <summary>Connects; over TLS, the handler takes the stream as it is (SocketsHttpHandler leaves an SslStream of the callback alone).</summary>
    private async ValueTask<Stream> ConnectAsync(AgentAddress agent, DnsEndPoint address, bool bulk, CancellationToken cancellation)
    {
        if (agent.CertifiedName is null) return await DialAsync(agent.SocketPath, address, bulk, cancellation);
        var identity = identities.Current();
        return await AgentStream.OpenAsync(await DialAsync(null, address, bulk, cancellation), agent, identity, time, cancellation);
    }

    private async ValueTask<Stream> DialAsync(string? path, DnsEndPoint address, bool bulk, CancellationToken cancellation)
    {
        var socket = path is null
            ? new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
            : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (bulk && path is null)
                socket.SetRawSocketOption((int)SocketOptionLevel.Tcp, TcpUserTimeout, BitConverter.GetBytes((int)timings.Unacknowledged.TotalMilliseconds));
            EndPoint to = path is null ? address : new UnixDomainSocketEndPoint(path);
            await socket.ConnectAsync(to, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
