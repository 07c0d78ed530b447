using Decant.Agent.Configuration;

namespace Decant.Agent.Releases;

/// <summary>Whether the file system of the releases has room.</summary>
/// <param name="freeBytes">Free bytes for this user, by a path that exists.</param>
/// <param name="limits">The floor that is left alone.</param>
internal sealed class DiskSpace(Func<string, long> freeBytes, HostLimits limits)
{
    // Measured with releases of mix: 2.2.
    private const int ExpectedRatio = 3;

    /// <summary>What the tree of an archive is expected to need.</summary>
    public static long ExpectedTreeBytes(long archiveBytes) => archiveBytes * ExpectedRatio;

    /// <summary>Asks the kernel.</summary>
    public static DiskSpace Real(HostLimits limits) => new(path => new DriveInfo(path).AvailableFreeSpace, limits);

    /// <summary>Bytes that are free in the file system of a directory.</summary>
    public long Free(string path) => freeBytes(path);

    /// <summary>Refuses work that would go below the floor.</summary>
    /// <param name="path">A directory there; it need not exist yet.</param>
    /// <param name="bytes">What the work will write, by estimate.</param>
    /// <param name="work">For people: "uploading 1.4.2".</param>
    /// <exception cref="Errors.OperatorException">RESOURCE_EXHAUSTED DISK_FULL.</exception>
    public void Need(string path, long bytes, string work)
    {
        var existing = path;
        while (!Directory.Exists(existing)) existing = Path.GetDirectoryName(existing)!;
        var free = freeBytes(existing);
        if (free - limits.DiskFloorBytes < bytes)
        {
            throw ReleaseErrors.DiskFull(
                $"{work} needs about {Shown(bytes)} in {path}; {Shown(free)} are free and {Shown(limits.DiskFloorBytes)} must stay free");
        }
    }

    private static string Shown(long bytes) => bytes >= 10 << 20 ? $"{bytes >> 20} MiB" : $"{bytes} bytes";
}
