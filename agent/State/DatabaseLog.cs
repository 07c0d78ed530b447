namespace Decant.Agent.State;

/// <summary>
/// The file that LiteDB writes first, its log. LiteDB 5 writes it from a thread of its own, and when that thread meets an error, whoever waits
/// for it may wait for ever. So an error is kept here, and met by the next one that reads the log or shortens it: the checkpoint that follows
/// each write, in the thread that asked for it.
/// </summary>
/// <param name="path">Of the file.</param>
/// <param name="emptied">Told when a checkpoint has emptied it.</param>
internal sealed class DatabaseLog(string path, Action emptied) : Stream
{
    private readonly FileStream file = new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
    private IOException? failure;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => file.Length;

    /// <inheritdoc/>
    public override long Position
    {
        get => file.Position;
        set => file.Position = value;
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Keep(() => file.Write(buffer, offset, count));

    /// <summary>To the disk.</summary>
    public override void Flush() => Keep(() => file.Flush(flushToDisk: true));

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count)
    {
        Meet();
        return file.Read(buffer, offset, count);
    }

    /// <inheritdoc/>
    public override void SetLength(long value)
    {
        Meet();
        file.SetLength(value);
        if (value == 0) emptied();
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => file.Seek(offset, origin);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) file.Dispose();
        base.Dispose(disposing);
    }

    private void Keep(Action write)
    {
        if (failure is not null) return;
        try
        {
            write();
        }
        catch (IOException exception)
        {
            failure = exception;
        }
    }

    // Once more with the same number: the stack trace of the first belongs to another thread.
    private void Meet()
    {
        if (failure is { } met) throw new IOException(met.Message, met.HResult);
    }
}
