namespace Decant.Agent.Releases;

/// <summary>What an archive may still unpack to. Asked while unpacking, so that a bomb is stopped and not measured.</summary>
/// <param name="limits">The limits.</param>
/// <param name="archiveBytes">Size of the archive.</param>
internal sealed class UnpackBudget(ReleaseLimits limits, long archiveBytes)
{
    // Small archives of zeros (an empty tar is 10 KiB) have a ratio that says nothing.
    private const long RatioMattersFrom = 1 << 20;

    private readonly long maxByRatio = Math.Max(RatioMattersFrom, archiveBytes * limits.MaxRatio);
    private int entries;
    private long bytes;

    /// <summary>Counts bytes that were unpacked.</summary>
    public void SpendBytes(long count) => Check(bytes += count);

    /// <summary>Refuses an entry that could not fit, before any of it is unpacked.</summary>
    public void Announce(string entry, long size)
    {
        if (++entries > limits.MaxEntries) throw ReleaseErrors.TooLarge($"the archive has more than {limits.MaxEntries} entries");
        if (size > limits.MaxUnpackedBytes - bytes)
            throw ReleaseErrors.TooLarge($"entry {ReleaseErrors.Shown(entry)} claims {size} bytes; {limits.MaxUnpackedBytes} are allowed in all");
    }

    private void Check(long total)
    {
        if (total > limits.MaxUnpackedBytes) throw ReleaseErrors.TooLarge($"the archive unpacks to more than {limits.MaxUnpackedBytes} bytes");
        if (total > maxByRatio)
            throw ReleaseErrors.TooLarge($"the archive of {archiveBytes} bytes unpacks to more than {limits.MaxRatio} times its size");
    }
}
