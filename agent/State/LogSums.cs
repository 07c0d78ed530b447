using System.Buffers.Binary;

namespace Decant.Agent.State;

/// <summary>
/// A checksum for each page of LiteDB's log, in a file beside it. LiteDB has none: when the power fails while it writes a transaction, half a page
/// may be followed by the page that says that the transaction is whole. With these, the log ends before the first page that is not as it was
/// written. Whoever asked for that transaction never had an answer: no call returns before its pages are in the database itself.
/// </summary>
internal sealed class LogSums : IDisposable
{
    private const int PageSize = PageSums.PageSize;

    private readonly FileStream file;

    /// <summary>Opens the file, or makes it.</summary>
    public LogSums(DatabasePaths paths) => file = PrivateFile.Open(paths.LogSums);

    /// <summary>How many pages of the log are as they were written, from its beginning. All of them when there are no sums: an earlier version wrote it.</summary>
    public static int CountSound(DatabasePaths paths)
    {
        if (!File.Exists(paths.Log)) return 0;
        using var log = File.OpenHandle(paths.Log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var pages = (int)(RandomAccess.GetLength(log) / PageSize);
        if (!File.Exists(paths.LogSums) || new FileInfo(paths.LogSums).Length == 0) return pages;
        using var sums = File.OpenHandle(paths.LogSums, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var (page, sum) = (new byte[PageSize], new byte[sizeof(ulong)]);
        for (var number = 0; number < pages; number++)
        {
            if (RandomAccess.Read(sums, sum, (long)number * sum.Length) < sum.Length) return number;
            if (RandomAccess.Read(log, page, (long)number * PageSize) < PageSize) return number;
            if (BinaryPrimitives.ReadUInt64LittleEndian(sum) != PageSums.Of(page)) return number;
        }

        return pages;
    }

    /// <summary>Pages are about to be written.</summary>
    /// <param name="at">Position in the log.</param>
    /// <param name="pages">Whole pages.</param>
    public void Set(long at, ReadOnlySpan<byte> pages)
    {
        Span<byte> sum = stackalloc byte[sizeof(ulong)];
        for (; pages.Length >= PageSize; at += PageSize, pages = pages[PageSize..])
        {
            BinaryPrimitives.WriteUInt64LittleEndian(sum, PageSums.Of(pages[..PageSize]));
            RandomAccess.Write(file.SafeFileHandle, sum, at / PageSize * sizeof(ulong));
        }
    }

    /// <summary>To the disk.</summary>
    public void Flush() => file.Flush(flushToDisk: true);

    /// <summary>The log was cut off.</summary>
    public void Cut(long length) => file.SetLength(length / PageSize * sizeof(ulong));

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
