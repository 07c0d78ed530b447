namespace Decant.Names;

/// <summary>One built version of an app, known by version and content digest.</summary>
/// <param name="Version">As in <c>releases/start_erl.data</c>.</param>
/// <param name="Digest">SHA-256 of its <c>.tar.gz</c>.</param>
public sealed record ReleaseId(ReleaseVersion Version, Sha256Digest Digest)
{
    /// <summary>For people and for directory names: <c>1.4.2-0a1b2c3d4e5f</c>.</summary>
    public override string ToString() => $"{Version}-{Digest.Prefix}";
}
