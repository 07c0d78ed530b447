using System.Net.Sockets;
using System.Threading.Channels;

namespace Decant.EndToEnd.Harness;

/// <summary>
/// A slow link to an agent, in user space, since the kernel's own (tc-netem(8)) is not everywhere: a unix socket for the controller, behind which
/// everything takes its time on the way to the agent's socket. All connections share the rate.
/// </summary>
internal sealed class SlowLink : IAsyncDisposable
{
    private const int Piece = 8 * 1024;

    private readonly Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource stop = new();
    private readonly Lane forth;
    private readonly Lane back;
    private readonly string target;
    private readonly Task accepting;

    private SlowLink(string path, string target, int bytesPerSecond, TimeSpan delay)
    {
        this.target = target;
        Path = path;
        (forth, back) = (new Lane(bytesPerSecond, delay), new Lane(bytesPerSecond, delay));
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        accepting = AcceptAsync();
    }

    /// <summary>Where the controller connects.</summary>
    public string Path { get; }

    /// <summary>Opens one.</summary>
    /// <param name="path">Where the controller will connect.</param>
    /// <param name="target">The agent's socket.</param>
    /// <param name="bytesPerSecond">In each direction.</param>
    /// <param name="delay">In each direction.</param>
    public static SlowLink Open(string path, string target, int bytesPerSecond, TimeSpan delay) => new(path, target, bytesPerSecond, delay);

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Dispose();
        await accepting;
        stop.Dispose();
        File.Delete(Path);
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true) connections.Add(CarryAsync(await listener.AcceptAsync(stop.Token)));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task CarryAsync(Socket near)
    {
        using var far = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using (near)
        {
            // What a router would hold, and no more: the rest waits at whoever sends it.
            (near.ReceiveBufferSize, far.ReceiveBufferSize) = (64 * 1024, 64 * 1024);
            try
            {
                await far.ConnectAsync(new UnixDomainSocketEndPoint(target), stop.Token);
                using var both = CancellationTokenSource.CreateLinkedTokenSource(stop.Token);
                var ways = new[] { PumpAsync(near, far, forth, both.Token), PumpAsync(far, near, back, both.Token) };
                await Task.WhenAny(ways);
                await both.CancelAsync();
                await Task.WhenAll(ways);
            }
            catch (Exception exception) when (exception is SocketException or OperationCanceledException)
            {
                // One of them is gone; so is the other, then.
            }
        }
    }

    private static async Task PumpAsync(Socket from, Socket to, Lane lane, CancellationToken cancellation)
    {
        var underWay = Channel.CreateUnbounded<(byte[] Bytes, long Due)>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        var arriving = ArriveAsync(underWay.Reader, to, cancellation);
        var buffer = new byte[Piece];
        try
        {
            while (!arriving.IsCompleted && await from.ReceiveAsync(buffer, cancellation) is > 0 and var read)
                underWay.Writer.TryWrite((buffer[..read], await lane.PassAsync(read, cancellation)));
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException)
        {
            // The other way ends with this one.
        }

        underWay.Writer.Complete();
        await arriving;
    }

    private static async Task ArriveAsync(ChannelReader<(byte[] Bytes, long Due)> underWay, Socket to, CancellationToken cancellation)
    {
        try
        {
            await foreach (var (bytes, due) in underWay.ReadAllAsync(cancellation))
            {
                await UntilAsync(due, cancellation);
                for (var left = bytes.AsMemory(); left.Length > 0;) left = left[await to.SendAsync(left, cancellation)..];
            }
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException)
        {
            // As above.
        }
    }

    private static Task UntilAsync(long timestamp, CancellationToken cancellation)
    {
        var wait = TimeProvider.System.GetElapsedTime(TimeProvider.System.GetTimestamp(), timestamp);
        return wait > TimeSpan.Zero ? Task.Delay(wait, cancellation) : Task.CompletedTask;
    }

    /// <summary>One direction: one piece after the other, whoever it belongs to.</summary>
    private sealed class Lane(int bytesPerSecond, TimeSpan delay)
    {
        private readonly Lock gate = new();
        private long freeAt = TimeProvider.System.GetTimestamp();

        /// <summary>Returns when so many bytes are sent off, with when they arrive.</summary>
        public async Task<long> PassAsync(int bytes, CancellationToken cancellation)
        {
            var clock = TimeProvider.System;
            long sent;
            lock (gate)
            {
                freeAt = Math.Max(freeAt, clock.GetTimestamp()) + (long)((double)bytes / bytesPerSecond * clock.TimestampFrequency);
                sent = freeAt;
            }

            await UntilAsync(sent, cancellation);
            return sent + (long)(delay.TotalSeconds * clock.TimestampFrequency);
        }
    }
}
