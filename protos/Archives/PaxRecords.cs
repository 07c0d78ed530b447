using System.Buffers.Text;

namespace Decant.Archives;

/// <summary>What of a pax extended header (POSIX.1-2001, pax(1)) matters for a release.</summary>
/// <param name="Path">Replaces the name.</param>
/// <param name="LinkPath">Replaces the link's target.</param>
/// <param name="Size">Replaces the size.</param>
/// <param name="IsSparse">GNU tar left out holes: what is there is not the file.</param>
public sealed record PaxRecords(string? Path = null, string? LinkPath = null, long? Size = null, bool IsSparse = false)
{
    /// <summary>Reads records of the form <c>LENGTH KEY=VALUE\n</c>.</summary>
    /// <exception cref="InvalidDataException">They are not of that form.</exception>
    public static PaxRecords Parse(ReadOnlySpan<byte> data)
    {
        var records = new PaxRecords();
        // Some writers pad with NULs.
        data = data.TrimEnd((byte)0);
        while (!data.IsEmpty)
        {
            if (!Utf8Parser.TryParse(data, out int length, out var digits) || length <= digits + 2 || length > data.Length
                || data[digits] != ' ' || data[length - 1] != '\n')
                throw new InvalidDataException("an extended tar header is malformed");
            records = records.With(data[(digits + 1)..(length - 1)]);
            data = data[length..];
        }

        return records;
    }

    private PaxRecords With(ReadOnlySpan<byte> record)
    {
        var equals = record.IndexOf((byte)'=');
        if (equals < 1) throw new InvalidDataException("an extended tar header is malformed");
        var key = record[..equals];
        var value = record[(equals + 1)..];
        if (key.StartsWith("GNU.sparse."u8)) return this with { IsSparse = true };
        if (key.SequenceEqual("size"u8))
        {
            return Utf8Parser.TryParse(value, out long size, out var digits) && digits == value.Length && size >= 0
                ? this with { Size = size }
                : throw new InvalidDataException("an extended tar header has a size that is not a number");
        }

        if (key.SequenceEqual("path"u8)) return this with { Path = Name(value) };
        return key.SequenceEqual("linkpath"u8) ? this with { LinkPath = Name(value) } : this;
    }

    private static string Name(ReadOnlySpan<byte> value)
        => value.Contains((byte)0) ? throw new InvalidDataException("a name in an extended tar header has a NUL in it") : TarHeader.Text(value);
}
