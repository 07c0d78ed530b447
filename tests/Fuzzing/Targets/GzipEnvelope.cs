using System.IO.Compression;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>The same with the gzip stream's own bytes.</summary>
internal sealed class GzipEnvelope : Unpacking
{
    public override IEnumerable<byte[]> Seeds => [.. Tar.Seeds.Select(Gzip), [.. Gzip(Tar.Seeds[0]), .. Gzip(Tar.Seeds[1])], Gzip(new byte[200_000])];

    public override IReadOnlyList<byte[]> Words { get; } = [[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3], Gzip([]), Gzip(new byte[1024]), [0, 0, 0, 0, 0, 0, 0, 0]];

    // A few hundred bytes unpack to as much as the limits allow.
    public override long MayAllocate(int length) => (4 << 20) + (300L * length);

    public override byte[] Mutate(byte[] input, Mutation mutation) => mutation.Bytes(input, Words, Largest);

    public override byte[] Repair(byte[] input) => input;

    protected override byte[] Packed(byte[] input) => input;

    private static byte[] Gzip(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true)) gzip.Write(content);
        return packed.ToArray();
    }
}
