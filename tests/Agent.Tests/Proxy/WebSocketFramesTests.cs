using Decant.Agent.Proxy;

namespace Decant.Agent.Tests.Proxy;

internal sealed class WebSocketFramesTests
{
    [TestCase(0)]
    [TestCase(5)]
    [TestCase(125)]
    [TestCase(126)]
    [TestCase(65_535)]
    [TestCase(65_536)]
    public void The_end_of_a_frame_is_found_however_its_bytes_arrive(int size)
    {
        byte[] bytes = [.. Frame(size), .. Frame(3)];
        foreach (var piece in new[] { 1, 2, 7, 1000, bytes.Length })
        {
            var frames = new WebSocketFrames();
            var ends = new List<int>();
            for (var at = 0; at < bytes.Length;)
            {
                at += frames.Advance(bytes.AsSpan(at, Math.Min(piece, bytes.Length - at)), toFirstEnd: true);
                if (frames.IsBetween) ends.Add(at);
            }

            Assert.That(ends, Is.EqualTo(new[] { bytes.Length - Frame(3).Length, bytes.Length }), $"in pieces of {piece}");
        }
    }

    private static byte[] Frame(int size) =>
    [
        0x82,
        .. size switch
        {
            < 126 => new[] { (byte)size },
            < 65_536 => [126, (byte)(size >> 8), (byte)size],
            _ => [127, 0, 0, 0, 0, (byte)(size >> 24), (byte)(size >> 16), (byte)(size >> 8), (byte)size],
        },
        .. new byte[size],
    ];
}
