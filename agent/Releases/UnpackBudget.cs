using Decant.Agent.Configuration;

namespace Decant.Agent.Releases;

/// <summary>What an archive may still unpack to. Asked while unpacking, so that a bomb is stopped and not measured.</summary>
/// <param name="limits">The limits.</param>
/// <param name="archiveBytes">Size of the archive.</param>
/// <param name="checkDisk">Called from time to time; throws when the disk is too full to go on.</param>
internal sealed class UnpackBudget(HostLimits limits, long archiveBytes, Action checkDisk)
{
    private const long DiskCheckedEvery = 32 << 20;

    // Small archives of zeros (an empty tar is 10 KiB) have a ratio that says nothing.
    private const long RatioMattersFrom = 1 << 20;

    private readonly long maxByRatio = Math.Max(RatioMattersFrom, archiveBytes * limits.Ratio);
    private int entries;
    private long bytes;
    private long nextDiskCheck = DiskCheckedEvery;

    /// <summary>Counts bytes that were unpacked.</summary>
    public void SpendBytes(long count) => Check(bytes += count);

    /// <summary>Refuses an entry that could not fit, before any of it is unpacked.</summary>
    public void Announce(string entry, long size)
    {
        if (++entries > limits.Entries) throw ReleaseErrors.TooLarge($"the archive has more than {limits.Entries} entries");
        if (size > limits.UnpackedBytes - bytes)
            throw ReleaseErrors.TooLarge($"entry {ReleaseErrors.Shown(entry)} claims {size} bytes; {limits.UnpackedBytes} are allowed in all");
    }

    private void Check(long total)
    {
        if (total > limits.UnpackedBytes) throw ReleaseErrors.TooLarge($"the archive unpacks to more than {limits.UnpackedBytes} bytes");
        if (total > maxByRatio)
            throw ReleaseErrors.TooLarge($"the archive of {archiveBytes} bytes unpacks to more than {limits.Ratio} times its size");
        if (total < nextDiskCheck) return;
        nextDiskCheck = total + DiskCheckedEvery;
        checkDisk();
    }
}
