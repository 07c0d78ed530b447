using Google.Protobuf;

namespace Decant.EndToEnd.Harness;

/// <summary>Protobuf messages on the wire, changed without knowing what they mean: what no generated code would write.</summary>
internal static class Wire
{
    private static readonly ulong[] Numbers = [0, 1, 2, 127, 128, 65535, 65536, int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32, long.MaxValue, 1UL << 63, ulong.MaxValue];

    private static readonly byte[][] Texts =
    [
        [], "shop"u8.ToArray(), "main"u8.ToArray(), "1.0.0"u8.ToArray(), ".."u8.ToArray(), "a\0b"u8.ToArray(), "\u001b[2J"u8.ToArray(), [0xC3, 0x28], [0xED, 0xA0, 0x80], "\u2028"u8.ToArray(), new byte[300], [.. Enumerable.Repeat((byte)'y', 70_000)],
    ];

    /// <summary>A message with one to some changes, at any depth: fields dropped, doubled, moved, made anew, of another type, unknown, huge, nested too deep.</summary>
    /// <param name="message">Its bytes.</param>
    /// <param name="random">Decides.</param>
    /// <param name="largest">No larger than this, in about.</param>
    public static byte[] Spoilt(byte[] message, Random random, int largest = 256 << 10)
    {
        for (var changes = 1 + random.Next(4); changes > 0; changes--) message = Changed(message, random, 0, largest);
        // Not a message at all, now and then.
        return random.Next(12) == 0 && message.Length > 1 ? message[..random.Next(message.Length)] : message;
    }

    private static byte[] Changed(byte[] message, Random random, int depth, int largest)
    {
        if (Fields(message) is not { } fields) return Noise(random);
        var at = random.Next(fields.Count + 1);
        var chosen = at < fields.Count ? fields[at] : null;
        switch (random.Next(10))
        {
            case 0 when chosen is not null:
                fields.RemoveAt(at);
                break;
            case 1 when chosen is not null:
                for (var times = 1 << random.Next(8); times > 0 && (long)fields.Count * chosen.Content.Length < largest; times--) fields.Insert(random.Next(fields.Count + 1), chosen);
                break;
            case 2:
                fields.Insert(at, Made(random));
                break;
            case 3 when chosen is not null:
                fields[at] = chosen with { Number = 1 + random.Next(20) };
                break;
            case 4 when chosen is { Type: WireFormat.WireType.LengthDelimited }:
                fields[at] = chosen with { Content = Texts[random.Next(Texts.Length)] };
                break;
            case 5 when chosen is { Type: WireFormat.WireType.LengthDelimited }:
                // A message within itself, deeper than any parser goes.
                var nested = chosen.Content;
                for (var levels = 1 << random.Next(8); levels > 0 && nested.Length < largest; levels--) nested = Bytes([chosen with { Content = nested }]);
                fields[at] = chosen with { Content = nested };
                break;
            case 6:
                // A group, which nobody uses any more, and which need not end.
                fields.Insert(at, new Field(1 + random.Next(30), random.Next(2) == 0 ? WireFormat.WireType.StartGroup : WireFormat.WireType.EndGroup, []));
                break;
            default:
                if (chosen is null) break;
                fields[at] = chosen.Type != WireFormat.WireType.LengthDelimited ? Made(random) with { Number = chosen.Number }
                    : depth < 12 ? chosen with { Content = Changed(chosen.Content, random, depth + 1, largest) } : chosen;
                break;
        }

        return Bytes(fields);
    }

    private static Field Made(Random random)
    {
        var number = random.Next(8) == 0 ? 1 + random.Next((1 << 29) - 1) : 1 + random.Next(25);
        return random.Next(4) switch
        {
            0 => new Field(number, WireFormat.WireType.LengthDelimited, Texts[random.Next(Texts.Length)]),
            1 => new Field(number, WireFormat.WireType.Fixed64, Noise(random, 8)),
            2 => new Field(number, WireFormat.WireType.Fixed32, Noise(random, 4)),
            _ => new Field(number, WireFormat.WireType.Varint, Varint(random.Next(2) == 0 ? Numbers[random.Next(Numbers.Length)] : (ulong)random.NextInt64())),
        };
    }

    private static byte[] Noise(Random random, int length = -1)
    {
        var noise = new byte[length < 0 ? random.Next(40) : length];
        random.NextBytes(noise);
        return noise;
    }

    /// <summary>The fields of a message; null when the bytes are none.</summary>
    private static List<Field>? Fields(byte[] message)
    {
        var fields = new List<Field>();
        using var input = new CodedInputStream(message);
        try
        {
            for (uint tag; (tag = input.ReadTag()) != 0;)
            {
                var type = WireFormat.GetTagWireType(tag);
                fields.Add(new Field(WireFormat.GetTagFieldNumber(tag), type, type switch
                {
                    WireFormat.WireType.Varint => Varint(input.ReadUInt64()),
                    WireFormat.WireType.Fixed64 => BitConverter.GetBytes(input.ReadFixed64()),
                    WireFormat.WireType.Fixed32 => BitConverter.GetBytes(input.ReadFixed32()),
                    WireFormat.WireType.LengthDelimited => input.ReadBytes().ToByteArray(),
                    _ => [],
                }));
            }

            return fields;
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    private static byte[] Bytes(IEnumerable<Field> fields)
    {
        using var output = new MemoryStream();
        foreach (var field in fields)
        {
            output.Write(Varint(((ulong)field.Number << 3) | (uint)field.Type));
            if (field.Type == WireFormat.WireType.LengthDelimited) output.Write(Varint((ulong)field.Content.Length));
            output.Write(field.Content);
        }

        return output.ToArray();
    }

    private static byte[] Varint(ulong number)
    {
        var bytes = new List<byte>();
        for (; number >= 0x80; number >>= 7) bytes.Add((byte)(number | 0x80));
        return [.. bytes, (byte)number];
    }

    private sealed record Field(int Number, WireFormat.WireType Type, byte[] Content);
}
