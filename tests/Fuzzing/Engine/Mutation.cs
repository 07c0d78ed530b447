using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Decant.Fuzzing.Engine;

/// <summary>Chance, and what to do to bytes with it.</summary>
/// <param name="random">Seeded.</param>
/// <param name="other">Gives another input, to take pieces from.</param>
internal sealed class Mutation(Random random, Func<byte[]> other)
{
    private static readonly byte[][] Odd =
    [
        [0], [0xFF], [0x80], [0x1B, (byte)'['], "\r\n"u8.ToArray(), "\n"u8.ToArray(), "\t"u8.ToArray(), " "u8.ToArray(), "\u2028"u8.ToArray(), "\uFEFF"u8.ToArray(),
        "é"u8.ToArray(), "😀"u8.ToArray(), [0xC3], [0xED, 0xA0, 0x80], "/"u8.ToArray(), ".."u8.ToArray(), "../"u8.ToArray(), "\\"u8.ToArray(), "\""u8.ToArray(), "'"u8.ToArray(),
        "{"u8.ToArray(), "}"u8.ToArray(), "["u8.ToArray(), "]"u8.ToArray(), ","u8.ToArray(), ":"u8.ToArray(), "="u8.ToArray(), "#"u8.ToArray(), "null"u8.ToArray(), "-"u8.ToArray(),
    ];

    private static readonly string[] Numbers =
    [
        "0", "-1", "1", "00", "100", "101", "255", "256", "65535", "65536", "2147483647", "2147483648", "-2147483648", "4294967295", "4294967296", "9223372036854775807",
        "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e308", "1e999", "0.5", "NaN", "", "99999999999999999999999999",
    ];

    private static readonly ulong[] Edges = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, ulong.MaxValue];

    /// <summary>The chance behind it.</summary>
    public Random Random => random;

    /// <summary>True once in so many times.</summary>
    public bool Once(int of) => random.Next(of) == 0;

    /// <summary>One of them.</summary>
    public T Pick<T>(IReadOnlyList<T> from) => from[random.Next(from.Count)];

    /// <summary>Another input.</summary>
    public byte[] Other() => other();

    /// <summary>One to some changes, of which nothing is known but that they are of bytes.</summary>
    public byte[] Bytes(byte[] input, IReadOnlyList<byte[]> words, int largest)
    {
        for (var changes = 1 + Few(); changes > 0; changes--) input = Change(input, words, largest);
        return input.Length <= largest ? input : input[..largest];
    }

    /// <summary>0 mostly, 1 half as often, and so on.</summary>
    public int Few()
    {
        var few = 0;
        while (few < 8 && random.Next(2) == 0) few++;
        return few;
    }

    /// <summary>Bytes with some replaced.</summary>
    public static byte[] Splice(byte[] input, int at, int cut, ReadOnlySpan<byte> piece)
    {
        var result = new byte[input.Length - cut + piece.Length];
        input.AsSpan(0, at).CopyTo(result);
        piece.CopyTo(result.AsSpan(at));
        input.AsSpan(at + cut).CopyTo(result.AsSpan(at + piece.Length));
        return result;
    }

    private byte[] Change(byte[] input, IReadOnlyList<byte[]> words, int largest)
    {
        var at = random.Next(input.Length + 1);
        var length = Math.Min(Length(), input.Length - at);
        switch (random.Next(16))
        {
            case 0 when at < input.Length:
                var flipped = input.ToArray();
                flipped[at] ^= (byte)(1 << random.Next(8));
                return flipped;
            case 1 when at < input.Length:
                var set = input.ToArray();
                set[at] = (byte)random.Next(256);
                return set;
            case 2 when words.Count > 0:
            case 3 when words.Count > 0:
                return Splice(input, at, 0, Pick(words));
            case 4 when words.Count > 0:
                return Splice(input, at, length, Pick(words));
            case 5:
                return Splice(input, at, 0, Pick(Odd));
            case 6:
                return Splice(input, at, length, Pick(Odd));
            case 7:
                return Splice(input, at, length, []);
            case 8:
                return Splice(input, random.Next(input.Length + 1), 0, input.AsSpan(at, length));
            case 9:
                var piece = other();
                var from = random.Next(piece.Length + 1);
                return Splice(input, at, Math.Min(length, input.Length - at), piece.AsSpan(from, Math.Min(Length(), piece.Length - from)));
            case 10:
                var tail = other();
                return [.. input[..at], .. tail[Math.Min(tail.Length, at)..]];
            case 11:
                return Number(input);
            case 12:
                return Edge(input, at);
            case 13:
                return Lines(input);
            case 14 when Once(4):
                return Repeated(input, at, length, largest);
            case 15 when Once(4):
                return input[..at];
            default:
                var noise = new byte[1 + random.Next(4)];
                random.NextBytes(noise);
                return Splice(input, at, Math.Min(noise.Length, input.Length - at), noise);
        }
    }

    private int Length() => random.Next(4) switch { 0 => 1, 1 => random.Next(8), 2 => random.Next(64), _ => random.Next(1024) };

    /// <summary>Other digits where there are some.</summary>
    private byte[] Number(byte[] input)
    {
        var begin = Array.FindIndex(input, random.Next(input.Length + 1), b => char.IsAsciiDigit((char)b));
        if (begin < 0) return input;
        var end = begin;
        while (end < input.Length && char.IsAsciiDigit((char)input[end])) end++;
        var number = Once(3) ? random.NextInt64().ToString(CultureInfo.InvariantCulture) : Pick(Numbers);
        return Splice(input, begin, end - begin, Encoding.ASCII.GetBytes(number));
    }

    /// <summary>A number at the edge of what fits, in binary.</summary>
    private byte[] Edge(byte[] input, int at)
    {
        var size = 1 << random.Next(4);
        if (input.Length - at < size) return input;
        Span<byte> number = stackalloc byte[8];
        if (Once(2)) BinaryPrimitives.WriteUInt64LittleEndian(number, Pick(Edges));
        else BinaryPrimitives.WriteUInt64BigEndian(number, Pick(Edges) << (64 - (8 * size)));
        var changed = input.ToArray();
        number[..size].CopyTo(changed.AsSpan(at));
        return changed;
    }

    /// <summary>A line twice, gone, or in another's place.</summary>
    private byte[] Lines(byte[] input)
    {
        var lines = Encoding.Latin1.GetString(input).Split('\n').ToList();
        var (one, two) = (random.Next(lines.Count), random.Next(lines.Count));
        switch (random.Next(3))
        {
            case 0:
                lines.Insert(one, lines[two]);
                break;
            case 1:
                lines.RemoveAt(one);
                break;
            default:
                (lines[one], lines[two]) = (lines[two], lines[one]);
                break;
        }

        return Encoding.Latin1.GetBytes(string.Join('\n', lines));
    }

    /// <summary>A piece again and again: what costs more than it should shows when there is much of it.</summary>
    private byte[] Repeated(byte[] input, int at, int length, int largest)
    {
        if (length == 0) return input;
        var room = Math.Max(0, largest - input.Length) / length;
        var times = Math.Min(room, 1 << random.Next(18));
        var piece = input.AsSpan(at, length);
        var all = new byte[times * length];
        for (var i = 0; i < times; i++) piece.CopyTo(all.AsSpan(i * length));
        return Splice(input, at, 0, all);
    }
}
