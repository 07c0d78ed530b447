namespace Decant.Agent.State;

/// <summary>What I/O errors are about.</summary>
internal static class DiskErrors
{
    private const int NoSpace = 28; // ENOSPC
    private const int OverQuota = 122; // EDQUOT

    /// <summary>Whether a file could not be written for lack of space or quota. The framework keeps the error number in HResult.</summary>
    public static bool IsDiskFull(this IOException exception) => exception.HResult is NoSpace or OverQuota;
}
