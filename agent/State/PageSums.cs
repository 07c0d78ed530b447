using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Decant.Agent.State;

/// <summary>
/// A checksum for each page of the database, in a file beside it. LiteDB 5 has none: a flipped byte in a document is another document, and one
/// in an index makes documents unfindable. With these, any byte that is not as it was written is found when its page is read.
/// </summary>
/// <remarks>
/// Written when LiteDB flushes the pages of a checkpoint, before it empties its log: after a crash in between, the log writes those pages, and
/// so their sums, again.
/// </remarks>
internal sealed class PageSums : IDisposable
{
    /// <summary>LiteDB's.</summary>
    public const int PageSize = 8192;

    private const int SumSize = sizeof(ulong);
    private static readonly byte[] Magic = "DECANT01"u8.ToArray();

    private readonly FileStream file;
    private readonly List<ulong> sums = [];
    private readonly SortedSet<int> unwritten = [];

    /// <summary>Opens the file, or makes it.</summary>
    /// <exception cref="DatabaseDamagedException">It is no such file.</exception>
    public PageSums(string path)
    {
        file = PrivateFile.Open(path);
        try
        {
            IsNew = file.Length == 0;
            if (!IsNew) Read(path);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>There was no such file yet.</summary>
    public bool IsNew { get; }

    /// <summary>Pages that have a sum.</summary>
    public int Count => sums.Count;

    /// <summary>Whether a file is of the layout that this version writes.</summary>
    public static bool IsOfThisVersion(string path)
    {
        using var opened = File.OpenRead(path);
        var magic = new byte[Magic.Length];
        return opened.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) == magic.Length && magic.AsSpan().SequenceEqual(Magic);
    }

    /// <summary>Whether a page is as it was written. One that never was, because later ones were written first, is all zeros.</summary>
    public bool Matches(int page, ReadOnlySpan<byte> content)
        => page < sums.Count && (sums[page] == 0 ? !content.ContainsAnyExcept((byte)0) : sums[page] == Of(content));

    /// <summary>A page was written.</summary>
    public void Set(int page, ReadOnlySpan<byte> content)
    {
        while (sums.Count <= page)
        {
            unwritten.Add(sums.Count);
            sums.Add(0);
        }

        sums[page] = Of(content);
        unwritten.Add(page);
    }

    /// <summary>The database was cut off behind so many pages.</summary>
    public void Cut(int pages)
    {
        if (pages >= sums.Count) return;
        sums.RemoveRange(pages, sums.Count - pages);
        unwritten.RemoveWhere(p => p >= pages);
        file.SetLength(PositionOf(pages));
    }

    /// <summary>To the disk.</summary>
    public void Flush()
    {
        if (unwritten.Count == 0) return;
        if (file.Length == 0) RandomAccess.Write(file.SafeFileHandle, Magic, 0);
        var sum = new byte[SumSize];
        foreach (var page in unwritten)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(sum, sums[page]);
            RandomAccess.Write(file.SafeFileHandle, sum, PositionOf(page));
        }

        file.Flush(flushToDisk: true);
        unwritten.Clear();
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    private void Read(string path)
    {
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        if (!bytes.AsSpan().StartsWith(Magic)) throw new DatabaseDamagedException($"{path} does not begin as it should");
        for (var at = Magic.Length; at + SumSize <= bytes.Length; at += SumSize) sums.Add(BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at)));
    }

    private static long PositionOf(int page) => Magic.Length + ((long)page * SumSize);

    /// <summary>The sum of a page; never 0.</summary>
    internal static ulong Of(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(content, hash);
        // 0 says that there is none.
        return Math.Max(1, BinaryPrimitives.ReadUInt64LittleEndian(hash));
    }
}
