using System.Buffers;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;

namespace Decant.Agent.Proxy;

/// <summary>
/// The sockets that clients connect to. Stops accepting apart from closing what is open, and hands connections that begin with HTTP/2's preface
/// (RFC 9113, 3.4) to an endpoint of their own: Kestrel itself speaks only one of both without TLS.
/// </summary>
internal sealed class FrontTransport(IConnectionListenerFactory sockets) : IConnectionListenerFactory
{
    /// <summary>For a whole preface, and for the first bytes of a request.</summary>
    private static readonly TimeSpan FirstBytes = TimeSpan.FromSeconds(30);

    private readonly List<Listener> listeners = [];
    private readonly Channel<ConnectionContext> http2 = Channel.CreateUnbounded<ConnectionContext>();
    private int connections;

    /// <summary>Where connections with the preface arrive.</summary>
    public static EndPoint Http2 { get; } = new Http2EndPoint();

    /// <summary>Open connections.</summary>
    public int Connections => Volatile.Read(ref connections);

    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0"u8;

    /// <inheritdoc/>
    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        if (endpoint is Http2EndPoint) return new Http2Listener(http2, endpoint);
        var listener = new Listener(await sockets.BindAsync(endpoint, cancellationToken));
        listeners.Add(listener);
        return listener;
    }

    /// <summary>Accepts no more connections; what is open stays so.</summary>
    public async Task StopAcceptingAsync()
    {
        foreach (var listener in listeners) await listener.UnbindAsync();
    }

    /// <summary>Looks at a connection's first bytes, and sends it the way that they call for.</summary>
    public ConnectionDelegate Sort(ConnectionDelegate http1) => async connection =>
    {
        Interlocked.Increment(ref connections);
        try
        {
            if (await IsHttp2Async(connection) is not { } isHttp2) return;
            if (isHttp2) await HandOverAsync(connection);
            else await http1(connection);
        }
        finally
        {
            Interlocked.Decrement(ref connections);
        }
    };

    private static async ValueTask<bool?> IsHttp2Async(ConnectionContext connection)
    {
        var input = connection.Transport.Input;
        using var late = new CancellationTokenSource(FirstBytes);
        try
        {
            while (true)
            {
                var result = await input.ReadAsync(late.Token);
                var buffer = result.Buffer;
                if (buffer.IsEmpty && result.IsCompleted) return null;
                var isHttp2 = Compare(buffer);
                input.AdvanceTo(buffer.Start, isHttp2 is null ? buffer.End : buffer.Start);
                if (isHttp2 is not null || result.IsCompleted) return isHttp2 ?? false;
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            connection.Abort();
            return null;
        }
    }

    private static bool? Compare(in ReadOnlySequence<byte> buffer)
    {
        Span<byte> first = stackalloc byte[Preface.Length];
        var length = (int)Math.Min(buffer.Length, first.Length);
        buffer.Slice(0, length).CopyTo(first);
        return !Preface.StartsWith(first[..length]) ? false : length == Preface.Length ? true : null;
    }

    private async Task HandOverAsync(ConnectionContext connection)
    {
        var handed = new HandedOverConnection(connection);
        if (http2.Writer.TryWrite(handed)) await handed.Ended;
    }

    private sealed class Http2EndPoint : EndPoint
    {
        public override string ToString() => "http2";
    }

    private sealed class Listener(IConnectionListener sockets) : IConnectionListener
    {
        private readonly Lock gate = new();
        private Task? unbinding;

        public EndPoint EndPoint => sockets.EndPoint;

        public ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) => sockets.AcceptAsync(cancellationToken);

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            lock (gate) unbinding ??= sockets.UnbindAsync(cancellationToken).AsTask();
            return new ValueTask(unbinding);
        }

        public ValueTask DisposeAsync() => sockets.DisposeAsync();
    }

    private sealed class Http2Listener(Channel<ConnectionContext> connections, EndPoint endPoint) : IConnectionListener
    {
        public EndPoint EndPoint => endPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (await connections.Reader.WaitToReadAsync(cancellationToken))
            {
                if (connections.Reader.TryRead(out var connection)) return connection;
            }

            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            connections.Writer.TryComplete();
            return default;
        }

        public ValueTask DisposeAsync() => UnbindAsync();
    }
}
