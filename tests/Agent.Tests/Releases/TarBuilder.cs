using System.IO.Compression;
using System.Text;

namespace Decant.Agent.Tests.Releases;

/// <summary>Writes tar archives by hand, also those that no tool would write.</summary>
public sealed class TarBuilder
{
    private readonly MemoryStream tar = new();

    public static byte[] Gzip(byte[] data)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(data);
        return packed.ToArray();
    }

    public TarBuilder File(string name, string content, int mode = 0b110_100_100) => File(name, Encoding.UTF8.GetBytes(content), mode);

    public TarBuilder File(string name, byte[] content, int mode = 0b110_100_100) => Entry(name, '0', mode, content: content);

    public TarBuilder Directory(string name, int mode = 0b111_101_101) => Entry(name, '5', mode);

    public TarBuilder Symlink(string name, string target) => Entry(name, '2', 0b111_111_111, target);

    public TarBuilder HardLink(string name, string target) => Entry(name, '1', 0b110_100_100, target);

    /// <summary>Any entry at all.</summary>
    /// <param name="size">What the header claims; the content's size when null.</param>
    public TarBuilder Entry(string name, char type, int mode = 0b110_100_100, string link = "", byte[]? content = null, long? size = null)
    {
        content ??= [];
        var header = new byte[512];
        Put(header, 0, 100, Encoding.UTF8.GetBytes(name));
        Put(header, 100, 8, Octal(mode, 7));
        Put(header, 108, 8, Octal(0, 7));
        Put(header, 116, 8, Octal(0, 7));
        var claimed = size ?? content.Length;
        if (claimed < 1L << 33) Put(header, 124, 12, Octal(claimed, 11));
        else Put(header, 124, 12, [0x80, 0, 0, 0, .. BitConverter.GetBytes(claimed).Reverse()]);
        Put(header, 136, 12, Octal(0, 11));
        header[156] = (byte)type;
        Put(header, 157, 100, Encoding.UTF8.GetBytes(link));
        Put(header, 257, 8, "ustar\00000"u8.ToArray()[..8]);
        return Raw(Summed(header), content);
    }

    public TarBuilder Raw(params byte[][] pieces)
    {
        foreach (var piece in pieces)
        {
            tar.Write(piece);
            tar.Write(new byte[(512 - (piece.Length % 512)) % 512]);
        }

        return this;
    }

    /// <summary>The tar archive; with the two blocks of zeros at its end unless told otherwise.</summary>
    public byte[] ToTar(bool end = true) => [.. tar.ToArray(), .. new byte[end ? 1024 : 0]];

    public byte[] ToGzip() => Gzip(ToTar());

    private static byte[] Summed(byte[] header)
    {
        header.AsSpan(148, 8).Fill((byte)' ');
        Put(header, 148, 8, [.. Octal(header.Sum(b => (long)b), 6), 0, (byte)' ']);
        return header;
    }

    private static byte[] Octal(long value, int digits) => Encoding.ASCII.GetBytes(Convert.ToString(value, 8).PadLeft(digits, '0'));

    private static void Put(byte[] header, int at, int length, byte[] value)
    {
        Assert.That(value, Has.Length.LessThanOrEqualTo(length));
        value.CopyTo(header, at);
    }
}
