namespace Decant.Agent.Hosting;

/// <summary>One agent for each data directory: held by flock(2) for the life of the process, so a crash leaves nothing to clear away.</summary>
internal sealed class DataDirectoryLock : IDisposable
{
    private const int WouldBlock = 11; // EWOULDBLOCK; the framework keeps the error number in HResult.

    private const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;

    private readonly FileStream held;

    private DataDirectoryLock(FileStream held) => this.held = held;

    /// <summary>Takes the lock, and makes the directory (mode 0750) if it is not there.</summary>
    /// <param name="dataDirectory">Absolute path.</param>
    /// <param name="refusal">Why it could not be taken: another agent has it, or the directory cannot be used.</param>
    /// <returns>The lock, or null with a refusal.</returns>
    public static DataDirectoryLock? TryTake(string dataDirectory, out string? refusal)
    {
        refusal = null;
        try
        {
            Directory.CreateDirectory(dataDirectory, DirectoryMode);
            return new DataDirectoryLock(new FileStream(
                Path.Combine(dataDirectory, "agent.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException exception) when (exception.HResult == WouldBlock)
        {
            refusal = $"another agent uses {dataDirectory}; stop it first, or give this one its own data_dir and listen addresses";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            refusal = $"data_dir {dataDirectory} cannot be used: {exception.Message}";
        }

        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => held.Dispose();
}
