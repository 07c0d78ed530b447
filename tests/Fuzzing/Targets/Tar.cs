using System.Text;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>Tar archives to begin with, and what to do to them so that more than their checksums is looked at.</summary>
internal static class Tar
{
    private const int Block = 512;

    private static readonly (int At, int Length)[] Fields =
    [
        (0, 100), (100, 8), (108, 8), (116, 8), (124, 12), (136, 12), (148, 8), (156, 1), (157, 100), (257, 6), (263, 2), (265, 32), (297, 32), (329, 8), (337, 8), (345, 155),
    ];

    private static readonly string[] Names =
    [
        "bin/shop", "bin/", "lib", "lib/a", "lib/a/b", "releases/start_erl.data", "releases/COOKIE", "releases/1.0.0/shop.rel", "erts-13.1.5/bin/beam.smp", "./x", "a", "b", "a/b",
        "..", "../x", "a/../../x", "../../outside/planted", "/", "//", "/dev/shm/x/planted", ".", "./", "", "a/", "a//b", ".decant-release.json", "é", "a\u001b[2J", "a\nb", "\u202E",
        new('n', 100), new('d', 99), "../root2/x", "./../x", "a/./b", "a/..", "bin/shop/x",
    ];

    private static readonly string[] Sizes =
    [
        "00000000000", "00000000001", "00000000777", "00000001000", "00000001001", "77777777777", "00010000000", "9", "-1", "", "           ", "00000000010 ", "0000000001\0",
    ];

    /// <summary>What may mean something in a tar archive.</summary>
    public static IReadOnlyList<byte[]> Words { get; } =
    [
        .. Names.Where(n => n.Length > 0).Select(Encoding.UTF8.GetBytes), .. Sizes.Where(s => s.Length > 0).Select(Encoding.ASCII.GetBytes),
        "ustar\000"u8.ToArray(), "ustar  \0"u8.ToArray(), "30 path=../x\n"u8.ToArray(), "11 path=a\n"u8.ToArray(), "13 linkpath=b\n"u8.ToArray(), "18 size=99999999\n"u8.ToArray(),
        "22 GNU.sparse.major=1\n"u8.ToArray(), "20 comment=whatever\n"u8.ToArray(), new byte[512], new byte[1024],
    ];

    /// <summary>Archives as tools write them, and some that none does.</summary>
    public static IReadOnlyList<byte[]> Seeds { get; } =
    [
        Archive(Entry("bin/shop", '0', "#!/bin/sh\n", 0b111_101_101), Entry("releases/start_erl.data", '0', "13.1.5 1.0.0"), Entry("lib/a/", '5', ""), Entry("lib/l", '2', "", link: "a"), Entry("lib/h", '1', "", link: "bin/shop")),
        Archive(Entry("x", 'x', "11 path=a\n20 comment=hello12\n"), Entry("b", '0', "content"), Entry("././@LongLink", 'L', new string('p', 120) + "\0"), Entry("short", '0', "12"), Entry("g", 'g', "20 comment=hello12\n")),
        Archive(Entry("a/", '5', ""), Entry("a/up", '2', "", link: ".."), Entry("k", 'K', "a/up/x\0"), Entry("l", '2', "", link: "y"), Entry("dev", '3', "")),
        Archive(Entry("./releases/1.0.0/shop.rel", '0', "{release}."), Entry("./bin/shop", '0', "", 0b111_101_101), Entry("./releases/start_erl.data", '0', "14.0 1.2.0\n")),
        new byte[1024],
        [],
    ];

    /// <summary>An archive of entries.</summary>
    public static byte[] Archive(params byte[][] entries) => [.. entries.SelectMany(e => e), .. new byte[2 * Block]];

    /// <summary>A header with its data.</summary>
    public static byte[] Entry(string name, char type, string content, int mode = 0b110_100_100, string link = "")
    {
        var data = Encoding.UTF8.GetBytes(content);
        var entry = new byte[Block + ((data.Length + Block - 1) / Block * Block)];
        Put(entry, 0, 100, name);
        Put(entry, 100, 8, Convert.ToString(mode, 8).PadLeft(7, '0'));
        Put(entry, 108, 8, "0000000");
        Put(entry, 116, 8, "0000000");
        Put(entry, 124, 12, Convert.ToString(data.Length, 8).PadLeft(11, '0'));
        Put(entry, 136, 12, "00000000000");
        entry[156] = (byte)type;
        Put(entry, 157, 100, link);
        Put(entry, 257, 8, "ustar\000");
        data.CopyTo(entry, Block);
        return Repair(entry);
    }

    /// <summary>Entries moved, doubled, dropped, made anew and changed in one field; and, less often, any change of bytes.</summary>
    public static byte[] Mutate(byte[] input, Mutation mutation, int largest)
    {
        if (mutation.Once(4)) return mutation.Bytes(input, Words, largest);
        var blocks = input.Chunk(Block).Select(b => b.Length == Block ? b : [.. b, .. new byte[Block - b.Length]]).ToList();
        for (var changes = 1 + mutation.Few(); changes > 0; changes--) Change(blocks, mutation);
        var changed = blocks.SelectMany(b => b).ToArray();
        return changed.Length <= largest ? changed : changed[..largest];
    }

    /// <summary>Gives every block that may be a header the checksum that it must have.</summary>
    public static byte[] Repair(byte[] input)
    {
        var repaired = input.ToArray();
        for (var at = 0; at + Block <= repaired.Length; at += Block)
        {
            var block = repaired.AsSpan(at, Block);
            // A header has a checksum's place filled, or a name and a type; data mostly not.
            if (!block.ContainsAnyExcept((byte)0) || (block[156] == 0 && block[124] == 0)) continue;
            block.Slice(148, 8).Fill((byte)' ');
            long sum = 0;
            foreach (var b in block) sum += b;
            Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(block[148..]);
        }

        return repaired;
    }

    private static void Change(List<byte[]> blocks, Mutation mutation)
    {
        var random = mutation.Random;
        var at = random.Next(blocks.Count + 1);
        switch (random.Next(9))
        {
            case 0:
                blocks.InsertRange(at, Made(mutation).Chunk(Block));
                break;
            case 1:
                blocks.InsertRange(Math.Max(0, blocks.Count - 2), Made(mutation).Chunk(Block));
                break;
            case 2 when at < blocks.Count:
                blocks.RemoveAt(at);
                break;
            case 3 when at < blocks.Count:
                blocks.Insert(random.Next(blocks.Count + 1), blocks[at]);
                break;
            case 4:
                var other = mutation.Other().Chunk(Block).Where(b => b.Length == Block).ToList();
                if (other.Count > 0) blocks.InsertRange(at, other.Skip(random.Next(other.Count)).Take(1 + random.Next(3)));
                break;
            default:
                if (at < blocks.Count) blocks[at] = Field(blocks[at], mutation);
                break;
        }
    }

    private static byte[] Made(Mutation mutation)
    {
        var (name, link) = (mutation.Pick(Names), mutation.Pick(Names));
        return mutation.Pick("0005122LKxg3467SZ\0"u8.ToArray()) switch
        {
            (byte)'L' => [.. Entry("././@LongLink", 'L', link + "\0"), .. Entry("short", '0', "")],
            (byte)'K' => [.. Entry("././@LongLink", 'K', link + "\0"), .. Entry(Fits(name), '2', "", link: "y")],
            (byte)'x' => [.. Entry("x", 'x', Record("path", name) + (mutation.Once(3) ? Record("linkpath", link) : "") + (mutation.Once(4) ? Record("size", mutation.Pick(Sizes)) : "")), .. Entry("s", mutation.Once(2) ? '0' : '2', "", link: "t")],
            var type => Entry(Fits(name), (char)type, type == '0' ? new string('c', mutation.Random.Next(700)) : "", mutation.Pick([0b110_100_100, 0b111_101_101, 0b100_111_111_111, 0b001_111_111_111, 0]), Fits(link)),
        };
    }

    private static byte[] Field(byte[] block, Mutation mutation)
    {
        var changed = block.ToArray();
        var (at, length) = mutation.Once(2) ? mutation.Pick(Fields) : mutation.Pick([(0, 100), (124, 12), (156, 1), (157, 100)]);
        var field = changed.AsSpan(at, length);
        switch (mutation.Random.Next(5))
        {
            case 0:
                mutation.Random.NextBytes(field);
                break;
            case 1:
                field.Clear();
                field[0] = 0x80;
                if (length > 9) field[^(1 + mutation.Random.Next(8))] = (byte)mutation.Random.Next(256);
                break;
            default:
                field.Clear();
                var text = length switch { 1 => mutation.Pick(["0", "5", "2", "1", "x", "L", "K", "g", "3", "S", "\0", "7"]), <= 12 => mutation.Pick(Sizes), _ => Fits(mutation.Pick(Names)) };
                var bytes = Encoding.UTF8.GetBytes(text);
                bytes.AsSpan(0, Math.Min(bytes.Length, length)).CopyTo(field);
                break;
        }

        return changed;
    }

    private static string Record(string key, string value)
    {
        var length = Encoding.UTF8.GetByteCount($" {key}={value}\n");
        var all = length + $"{length}".Length;
        if ($"{all}".Length > $"{length}".Length) all++;
        return $"{all} {key}={value}\n";
    }

    private static string Fits(string name) => Encoding.UTF8.GetByteCount(name) <= 100 ? name : name[..50];

    private static void Put(byte[] entry, int at, int length, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        bytes.AsSpan(0, Math.Min(bytes.Length, length)).CopyTo(entry.AsSpan(at));
    }
}
