namespace Decant.Agent.Releases;

/// <summary>How much a release may take of this host. The defaults leave room for releases many times the usual size.</summary>
internal sealed record ReleaseLimits
{
    /// <summary>An unpacked tree is expected to be at most this many times its archive (measured: 2.2).</summary>
    private const int ExpectedRatio = 3;

    /// <summary>Size of an archive, in bytes.</summary>
    public long MaxArchiveBytes { get; init; } = 2L << 30;

    /// <summary>Size of an unpacked tree, in bytes.</summary>
    public long MaxUnpackedBytes { get; init; } = 8L << 30;

    /// <summary>Unpacked bytes for each byte of the archive. Deflate can do about 1000; a release does 2 to 4.</summary>
    public int MaxRatio { get; init; } = 100;

    /// <summary>Files, directories and links in an archive.</summary>
    public int MaxEntries { get; init; } = 50_000;

    /// <summary>Free space of the file system that is left alone, in bytes.</summary>
    public long DiskFloorBytes { get; init; } = 512L << 20;

    /// <summary>Uploads that nobody went on with for this long are deleted when the agent starts.</summary>
    public TimeSpan UploadsKept { get; init; } = TimeSpan.FromDays(7);

    /// <summary>What an unpacked tree is expected to need.</summary>
    public static long ExpectedTreeBytes(long archiveBytes) => archiveBytes * ExpectedRatio;
}
