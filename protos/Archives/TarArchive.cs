namespace Decant.Archives;

/// <summary>
/// Reads a tar archive entry by entry, strictly. The framework's <c>TarReader</c> is not used on what comes over the wire: it allocates
/// as many bytes as an extended header claims to have (up to 2 GiB) before any limit can speak, takes unknown types for files, and
/// does not tell an archive that ends from one that was cut between two entries.
/// </summary>
/// <param name="stream">The unpacked bytes.</param>
/// <param name="spend">Told how many bytes were unpacked, piece by piece; throws when it is too much.</param>
public sealed class TarArchive(Stream stream, Action<int> spend)
{
    // Longer than any name may be.
    private const int MaxExtendedHeader = 64 << 10;

    private readonly byte[] block = new byte[TarHeader.BlockSize];
    private long dataLeft;
    private int padding;

    /// <summary>Bytes of the archive read so far; all of them when <see cref="Next"/> has returned null.</summary>
    public long Position { get; private set; }

    /// <summary>The next entry, with what extended headers say of it; null at the archive's end.</summary>
    /// <exception cref="InvalidDataException">The archive is malformed.</exception>
    public TarHeader? Next()
    {
        SkipData();
        string? longName = null, longTarget = null;
        var pax = new PaxRecords();
        while (true)
        {
            ReadBlock();
            if (!block.AsSpan().ContainsAnyExcept((byte)0))
            {
                if (longName is not null || longTarget is not null || pax != new PaxRecords())
                    throw new InvalidDataException("the archive ends after an extended tar header");
                ReadEnd();
                return null;
            }

            var header = TarHeader.Parse(block);
            switch (header.Type)
            {
                case 'L':
                    longName = TarHeader.Text(ReadExtended(header));
                    break;
                case 'K':
                    longTarget = TarHeader.Text(ReadExtended(header));
                    break;
                case 'x':
                    pax = PaxRecords.Parse(ReadExtended(header));
                    break;
                case 'g':
                    // For all entries that follow; comments (git archive writes the commit) but no names may be in it.
                    if (PaxRecords.Parse(ReadExtended(header)) != new PaxRecords())
                        throw new InvalidDataException("a global tar header sets names or sizes");
                    break;
                default:
                    return Begin(header with
                    {
                        Name = pax.Path ?? longName ?? header.Name,
                        LinkTarget = pax.LinkPath ?? longTarget ?? header.LinkTarget,
                        Size = pax.Size ?? header.Size,
                        Type = pax.IsSparse ? 'S' : header.Type,
                    });
            }
        }
    }

    /// <summary>Reads the current entry's data until the buffer is full or the data ends.</summary>
    public int Read(Span<byte> buffer)
    {
        if (buffer.Length > dataLeft) buffer = buffer[..(int)dataLeft];
        ReadExactly(buffer);
        dataLeft -= buffer.Length;
        return buffer.Length;
    }

    private TarHeader Begin(TarHeader header)
    {
        dataLeft = header.Size;
        padding = (int)((TarHeader.BlockSize - (header.Size % TarHeader.BlockSize)) % TarHeader.BlockSize);
        return header;
    }

    private ReadOnlySpan<byte> ReadExtended(TarHeader header)
    {
        if (header.Size > MaxExtendedHeader) throw new InvalidDataException($"an extended tar header claims {header.Size} bytes");
        var data = new byte[header.Size];
        Begin(header);
        Read(data);
        SkipData();
        return data;
    }

    private void SkipData()
    {
        while (dataLeft > 0) Read(block);
        if (padding > 0) ReadExactly(block.AsSpan(0, padding));
        padding = 0;
    }

    // POSIX: an archive ends with two blocks of zeros; writers fill up to a record of 10 KiB with more.
    private void ReadEnd()
    {
        ReadBlock();
        int read;
        do
        {
            if (block.AsSpan().ContainsAnyExcept((byte)0)) throw new InvalidDataException("there is data after the end of the tar archive");
            read = stream.ReadAtLeast(block, block.Length, throwOnEndOfStream: false);
            Spend(read);
            block.AsSpan(read).Clear();
        }
        while (read > 0);
    }

    private void ReadBlock() => ReadExactly(block);

    private void ReadExactly(Span<byte> buffer)
    {
        if (stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false) < buffer.Length)
            throw new InvalidDataException("the archive is truncated");
        Spend(buffer.Length);
    }

    private void Spend(int count)
    {
        Position += count;
        spend(count);
    }
}
