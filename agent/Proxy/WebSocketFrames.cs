namespace Decant.Agent.Proxy;

/// <summary>Follows a stream of websocket frames (RFC 6455, 5.2) and knows whether it stands between two of them.</summary>
internal sealed class WebSocketFrames
{
    private const int LongestHeader = 14;
    private readonly byte[] header = new byte[LongestHeader];
    private int headerBytes;
    private ulong payloadLeft;

    /// <summary>Nothing of a frame is outstanding.</summary>
    public bool IsBetween => headerBytes == 0 && payloadLeft == 0;

    /// <summary>Goes on over some bytes.</summary>
    /// <param name="bytes">What comes next.</param>
    /// <param name="toFirstEnd">Stops where a frame ends.</param>
    /// <returns>So many of them.</returns>
    public int Advance(ReadOnlySpan<byte> bytes, bool toFirstEnd)
    {
        var at = 0;
        while (at < bytes.Length)
        {
            if (payloadLeft > 0)
            {
                var taken = (int)Math.Min(payloadLeft, (ulong)(bytes.Length - at));
                payloadLeft -= (ulong)taken;
                at += taken;
            }
            else
            {
                header[headerBytes++] = bytes[at++];
                if (headerBytes < HeaderLength()) continue;
                payloadLeft = PayloadLength();
                headerBytes = 0;
            }

            if (toFirstEnd && IsBetween) break;
        }

        return at;
    }

    private int HeaderLength()
    {
        if (headerBytes < 2) return 2;
        var mask = (header[1] & 0x80) == 0 ? 0 : 4;
        return mask + (header[1] & 0x7F) switch { 126 => 4, 127 => 10, _ => 2 };
    }

    private ulong PayloadLength() => (header[1] & 0x7F) switch
    {
        126 => System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(2)),
        127 => System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(header.AsSpan(2)),
        var length => (ulong)length,
    };
}
