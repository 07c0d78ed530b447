using System.Buffers.Binary;
using System.Text;
using Decant.Errors;

namespace Decant.Archives;

/// <summary>One 512-byte header of a tar archive, as POSIX.1-1988 (ustar), GNU tar and V7 write it; names not yet judged.</summary>
/// <param name="Name">With its prefix, or what an extended header said.</param>
/// <param name="Type">The type flag; NUL (V7) is given as '0'.</param>
/// <param name="Size">Bytes of data that follow.</param>
/// <param name="Mode">Permission and set-id bits.</param>
/// <param name="LinkTarget">Of symbolic and hard links.</param>
public sealed record TarHeader(string Name, char Type, long Size, int Mode, string LinkTarget)
{
    /// <summary>Size of a header, and what data is padded to.</summary>
    public const int BlockSize = 512;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Reads a header.</summary>
    /// <exception cref="InvalidDataException">It is none; the message says why.</exception>
    public static TarHeader Parse(ReadOnlySpan<byte> block)
    {
        if (Octal(block[148..156]) != Checksum(block))
            throw new InvalidDataException("there is no tar header where one must be (its checksum is wrong)");
        var name = Text(block[..100]);
        // GNU tar ("ustar  ") uses the prefix's place for other things.
        if (block[257..263].SequenceEqual("ustar\0"u8) && Text(block[345..500]) is { Length: > 0 } prefix) name = $"{prefix}/{name}";
        var type = block[156] == 0 ? '0' : (char)block[156];
        return new TarHeader(name, type, Number(block[124..136], "size"), (int)Number(block[100..108], "mode"), Text(block[157..257]));
    }

    /// <summary>A text field: up to its first NUL.</summary>
    /// <exception cref="InvalidDataException">It is not UTF-8.</exception>
    public static string Text(ReadOnlySpan<byte> field)
    {
        var end = field.IndexOf((byte)0);
        if (end >= 0) field = field[..end];
        try
        {
            return StrictUtf8.GetString(field);
        }
        catch (DecoderFallbackException exception)
        {
            throw new InvalidDataException($"name {Printable.Line(Encoding.Latin1.GetString(field))} is not UTF-8", exception);
        }
    }

    private static long Number(ReadOnlySpan<byte> field, string what)
    {
        if ((field[0] & 0x80) != 0)
        {
            // GNU base-256, for a size that does not fit in octal digits; negative numbers begin with 0xFF.
            if (field[0] != 0x80 || field.Length != 12 || field[1..4].ContainsAnyExcept((byte)0) || field[4] >= 0x80)
                throw new InvalidDataException($"{what} in a tar header is out of range");
            return BinaryPrimitives.ReadInt64BigEndian(field[4..]);
        }

        return Octal(field) ?? throw new InvalidDataException($"{what} in a tar header is not a number");
    }

    private static long? Octal(ReadOnlySpan<byte> field)
    {
        long value = 0;
        foreach (var digit in field.Trim(" \0"u8))
        {
            if (digit is < (byte)'0' or > (byte)'7') return null;
            value = (value << 3) | (uint)(digit - '0');
        }

        return value;
    }

    private static long Checksum(ReadOnlySpan<byte> block)
    {
        long sum = 8 * ' ';
        for (var i = 0; i < BlockSize; i++)
        {
            if (i is < 148 or >= 156) sum += block[i];
        }

        return sum;
    }
}
