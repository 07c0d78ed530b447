using Decant.Agent.Proxy;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>
/// Websocket frames that pass through the proxy, in pieces of any size (the first byte): the proxy knows where each ends, as somebody who
/// reads them the long way does.
/// </summary>
internal sealed class Websocket : FuzzTarget
{
    public override IEnumerable<byte[]> Seeds =>
    [
        [3, 0x81, 5, .. "hello"u8, 0x88, 2, 3, 0xE9], [1, 0x82, 0xFE, 1, 0, 1, 2, 3, 4, .. new byte[256], 0x89, 0x80, 1, 2, 3, 4],
        [200, 0x82, 127, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 0x81, 0], [5, 0x82, 127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2], [],
    ];

    public override IReadOnlyList<byte[]> Words => [[0x81], [0x88, 2], [0x82, 126], [0x82, 127], [0x82, 0xFE], [0x82, 0xFF], [0, 0, 0, 0, 0, 0, 0, 1], [0x80, 0, 0, 0, 0, 0, 0, 0], [0, 125]];

    public override string Run(byte[] input)
    {
        var bytes = input.AsSpan(Math.Min(1, input.Length));
        var size = input.Length == 0 ? 1 : Math.Max(1, (int)input[0]);
        var ends = Ends(bytes);
        var whole = new WebSocketFrames();
        Promise(whole.IsBetween, "it begins within a frame");
        Promise(whole.Advance(bytes, toFirstEnd: false) == bytes.Length, "not all bytes are passed on");
        Promise(whole.IsBetween == (bytes.IsEmpty || ends[bytes.Length]), "the end of a frame is taken for its middle, or the other way round");

        var frames = new WebSocketFrames();
        for (var at = 0; at < bytes.Length;)
        {
            var piece = bytes.Slice(at, Math.Min(size, bytes.Length - at));
            var advanced = frames.Advance(piece, toFirstEnd: true);
            Promise(advanced > 0 && advanced <= piece.Length, "it does not go on");
            Promise(advanced == piece.Length || ends[at + advanced], "it stops where no frame ends");
            Promise(!ends.AsSpan(at + 1, advanced - 1).Contains(true), "it goes on over the end of a frame");
            at += advanced;
            Promise(frames.IsBetween == ends[at], "the end of a frame is not seen");
        }

        return $"{Math.Min(9, ends.Count(e => e))}";
    }

    /// <summary>Behind which bytes a frame ends.</summary>
    private static bool[] Ends(ReadOnlySpan<byte> bytes)
    {
        var ends = new bool[bytes.Length + 1];
        for (long at = 0; at + 2 <= bytes.Length;)
        {
            var second = bytes[(int)at + 1];
            var (extra, mask) = ((second & 0x7F) switch { 126 => 2, 127 => 8, _ => 0 }, (second & 0x80) == 0 ? 0 : 4);
            if (at + 2 + extra + mask > bytes.Length) break;
            UInt128 length = 0;
            for (var i = 0; i < extra; i++) length = (length << 8) | bytes[(int)at + 2 + i];
            if (extra == 0) length = (UInt128)(second & 0x7F);
            var end = (UInt128)(at + 2 + extra + mask) + length;
            if (end > (UInt128)bytes.Length) break;
            at = (long)end;
            ends[at] = true;
        }

        return ends;
    }
}
