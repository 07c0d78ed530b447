using System.Buffers.Binary;

namespace Decant.Agent.State;

/// <summary>The file that LiteDB keeps its pages in, each checked against its sum when it is read.</summary>
internal sealed class DatabaseFile : Stream
{
    private const int PageSize = PageSums.PageSize;

    // LiteDB's BasePage: a page begins with its number; further on is the transaction that wrote it, and whether it is that one's last.
    private const int TransactionAt = 14;
    private const int ConfirmedAt = 18;

    private readonly FileStream file;
    private readonly PageSums sums;
    private readonly byte[] page = new byte[PageSize];

    // Pages that the log has: a crash may have come between their writing and that of their sums, and then the log writes both again.
    private readonly HashSet<int> inLog;

    /// <summary>Opens the file, or makes it; a database from before there were sums gets them.</summary>
    /// <exception cref="DatabaseDamagedException">The file of the sums is none.</exception>
    public DatabaseFile(DatabasePaths paths)
    {
        inLog = PagesOf(paths);
        file = PrivateFile.Open(paths.Database);
        try
        {
            sums = new PageSums(paths.Sums);
            if (sums.IsNew && Length > 0) SumUp();
        }
        catch
        {
            sums?.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <summary>In whole pages: behind them may be one that a full disk cut off, and that the log has.</summary>
    public override long Length => file.Length / PageSize * PageSize;

    /// <inheritdoc/>
    public override long Position { get; set; }

    /// <summary>
    /// The numbers of the pages that a log has and LiteDB takes from it; none when there is no log. A log that is not sound to its end was being
    /// written, and nothing of it is in the database yet.
    /// </summary>
    public static HashSet<int> PagesOf(DatabasePaths paths)
    {
        var pages = new List<(int Number, uint Transaction)>();
        var confirmed = new HashSet<uint>();
        if (!File.Exists(paths.Log) || LogSums.CountSound(paths) is var sound && sound < new FileInfo(paths.Log).Length / PageSize) return [];
        using var opened = File.OpenHandle(paths.Log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var head = new byte[ConfirmedAt + 1];
        for (long page = 0; page < sound; page++)
        {
            if (RandomAccess.Read(opened, head, page * PageSize) < head.Length) break;
            var transaction = BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(TransactionAt));
            pages.Add(((int)BinaryPrimitives.ReadUInt32LittleEndian(head), transaction));
            if (head[ConfirmedAt] != 0) confirmed.Add(transaction);
        }

        return [.. pages.Where(p => confirmed.Contains(p.Transaction)).Select(p => p.Number)];
    }

    /// <summary>The log is empty: every page is where it belongs, with its sum.</summary>
    public void LogEmptied() => inLog.Clear();

    /// <summary>Reads every page.</summary>
    /// <exception cref="DatabaseDamagedException">One is not as it was written, or the file has another length.</exception>
    public void CheckAll()
    {
        var pages = (int)(Length / PageSize);
        for (var number = 0; number < Math.Max(pages, sums.Count); number++)
        {
            if (inLog.Contains(number)) continue;
            if (number >= pages) throw new DatabaseDamagedException($"{file.Name} ends behind page {pages} of {sums.Count}");
            Load(number);
        }
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count)
    {
        var read = 0;
        while (read < count && Position < Length)
        {
            var (number, within) = ((int)(Position / PageSize), (int)(Position % PageSize));
            Load(number);
            var size = Math.Min(count - read, PageSize - within);
            page.AsSpan(within, size).CopyTo(buffer.AsSpan(offset + read));
            read += size;
            Position += size;
        }

        return read;
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count)
    {
        for (var written = 0; written < count;)
        {
            var (number, within) = ((int)(Position / PageSize), (int)(Position % PageSize));
            var size = Math.Min(count - written, PageSize - within);
            if (size < PageSize) Load(number);
            buffer.AsSpan(offset + written, size).CopyTo(page.AsSpan(within));
            RandomAccess.Write(file.SafeFileHandle, page, (long)number * PageSize);
            sums.Set(number, page);
            written += size;
            Position += size;
        }
    }

    /// <summary>To the disk, the pages before their sums.</summary>
    public override void Flush()
    {
        file.Flush(flushToDisk: true);
        sums.Flush();
    }

    /// <inheritdoc/>
    public override void SetLength(long value)
    {
        file.SetLength(value);
        sums.Cut((int)(value / PageSize));
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => Position + offset,
        _ => Length + offset,
    };

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

    private void Load(int number)
    {
        LoadUnchecked(number);
        if (!inLog.Contains(number) && !sums.Matches(number, page))
            throw new DatabaseDamagedException($"page {number} of {file.Name} is not as it was written");
    }

    private void LoadUnchecked(int number)
    {
        var read = 0;
        while (read < PageSize)
        {
            var more = RandomAccess.Read(file.SafeFileHandle, page.AsSpan(read), ((long)number * PageSize) + read);
            if (more == 0) break;
            read += more;
        }

        page.AsSpan(read).Clear();
    }

    private void SumUp()
    {
        for (var number = 0; number < Length / PageSize; number++)
        {
            LoadUnchecked(number);
            sums.Set(number, page);
        }

        sums.Flush();
    }
}
