namespace Decant.Agent.State;

/// <summary>
/// The file that LiteDB writes first, its log. LiteDB 5 writes it from a thread of its own, and when that thread meets an error, whoever waits
/// for it may wait for ever. So an error is kept here, and met by the next one that reads the log or shortens it: the checkpoint that follows
/// each write, in the thread that asked for it.
/// </summary>
/// <param name="paths">Of the file, and of its sums.</param>
/// <param name="emptied">Told when a checkpoint has emptied it.</param>
internal sealed class DatabaseLog(DatabasePaths paths, Action emptied) : Stream
{
    private readonly FileStream file = OpenSound(paths);
    private readonly LogSums sums = new(paths);
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
    public override void Write(byte[] buffer, int offset, int count) => Keep(() =>
    {
        sums.Set(file.Position, buffer.AsSpan(offset, count));
        file.Write(buffer, offset, count);
    });

    /// <summary>To the disk.</summary>
    public override void Flush() => Keep(() =>
    {
        sums.Flush();
        file.Flush(flushToDisk: true);
    });

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
        sums.Cut(value);
        if (value == 0) emptied();
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => file.Seek(offset, origin);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            sums.Dispose();
            file.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Without what a crash has left half written.</summary>
    private static FileStream OpenSound(DatabasePaths paths)
    {
        var sound = (long)LogSums.CountSound(paths) * PageSums.PageSize;
        var file = new FileStream(paths.Log, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        if (file.Length > sound) file.SetLength(sound);
        return file;
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
