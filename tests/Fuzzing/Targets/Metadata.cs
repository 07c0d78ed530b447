using Decant.Agent.Releases;
using Decant.Fuzzing.Engine;
using Decant.Names;

namespace Decant.Fuzzing.Targets;

/// <summary>The file that the agent wrote into a release's tree, and that somebody may have changed since: a release, or why it is none.</summary>
internal sealed class Metadata : FuzzTarget
{
    private const string Digest = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    private static readonly ReleaseId Id = new(ReleaseVersion.Parse("1.0.0"), Sha256Digest.Parse(Digest));

    private Room room = null!;
    private string root = "";

    public override IEnumerable<byte[]> Seeds => Bytes(
        $$"""{"app":"shop","version":"1.0.0","digest":"{{Digest}}","ertsVersion":"13.1.5","includesErts":true,"unpackedBytes":12,"entries":3,"stagedAt":"2026-11-24T13:00:00+00:00","format":1}""",
        "{}", "null", "[]", """{"format":2}""");

    public override IReadOnlyList<byte[]> Words => Bytes("\"app\":", "\"version\":", "\"digest\":", "\"ertsVersion\":", "\"format\":1", "null", "\"shop\"", "\"../..\"", "-1", "1e9", "{", "}", ",", "\"\\u0000\"");

    public override void Open()
    {
        room = new Room();
        root = room[Id.ToString()];
        Directory.CreateDirectory(root);
    }

    public override void Close() => room.Dispose();

    public override string Run(byte[] input)
    {
        File.WriteAllBytes(Path.Combine(root, ReleaseMetadata.FileName), input);
        var (release, why) = ReleaseMetadata.Read(root);
        if (release is null)
        {
            Promise(why.Length > 0, "no reason is given");
            return why;
        }

        Promise(release.Id.ToString() == Id.ToString() && release.Root == root, "it is another release");
        Promise(ReleaseVersion.TryParse(release.ErtsVersion, out _, out _), "the version of ERTS is none");
        Promise(release.UnpackedBytes >= 0 && release.Entries >= 0, "a size is negative");
        return "a release";
    }
}
