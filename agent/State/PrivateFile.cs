namespace Decant.Agent.State;

/// <summary>Files of the agent's own, which nobody else may read.</summary>
internal static class PrivateFile
{
    /// <summary>Opens one to be read and written without a buffer, or makes it; others may look, and not write.</summary>
    public static FileStream Open(string path) => new(path, new FileStreamOptions
    {
        Mode = FileMode.OpenOrCreate,
        Access = FileAccess.ReadWrite,
        Share = FileShare.Read,
        BufferSize = 0,
        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    });
}
