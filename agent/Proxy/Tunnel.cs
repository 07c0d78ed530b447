namespace Decant.Agent.Proxy;

/// <summary>
/// The client's side of an upgraded connection. Passes bytes through untouched, and keeps track of where websocket frames to the client end,
/// so that a close frame can be put between two of them.
/// </summary>
internal sealed class Tunnel(Stream client) : Stream
{
    /// <summary>FIN and opcode 8, two bytes: status 1001.</summary>
    private static readonly byte[] GoingAway = [0x88, 0x02, 0x03, 0xE9];

    private readonly SemaphoreSlim writing = new(1, 1);
    private readonly WebSocketFrames frames = new();
    private bool isClosing;
    private bool isClosed;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Tells the client that the server goes away: now, or when the frame that is being sent has ended. What comes after it is dropped.</summary>
    public async Task CloseAsync()
    {
        await writing.WaitAsync();
        try
        {
            isClosing = true;
            await CloseBetweenFramesAsync(CancellationToken.None);
        }
        finally
        {
            writing.Release();
        }
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => client.ReadAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await writing.WaitAsync(cancellationToken);
        try
        {
            if (isClosed) return;
            var passed = frames.Advance(buffer.Span, toFirstEnd: isClosing);
            await client.WriteAsync(buffer[..passed], cancellationToken);
            if (isClosing) await CloseBetweenFramesAsync(cancellationToken);
        }
        finally
        {
            writing.Release();
        }
    }

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => client.FlushAsync(cancellationToken);

    /// <inheritdoc/>
    public override void Flush() => throw new NotSupportedException();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) client.Dispose();
        base.Dispose(disposing);
    }

    private async Task CloseBetweenFramesAsync(CancellationToken cancellation)
    {
        if (isClosed || !frames.IsBetween) return;
        isClosed = true;
        await client.WriteAsync(GoingAway, cancellation);
        await client.FlushAsync(cancellation);
    }
}
