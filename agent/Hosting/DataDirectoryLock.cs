namespace Decant.Agent.Hosting;

/// <summary>One agent for each data directory: held by flock(2) for the life of the process, so a crash leaves nothing to clear away.</summary>
internal sealed class DataDirectoryLock : IDisposable
{
    private readonly FileStream held;

    private DataDirectoryLock(FileStream held) => this.held = held;

    /// <summary>Takes the lock; null when another agent has it.</summary>
    public static DataDirectoryLock? TryTake(string dataDirectory)
    {
        Directory.CreateDirectory(dataDirectory);
        try
        {
            return new DataDirectoryLock(new FileStream(
                Path.Combine(dataDirectory, "agent.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => held.Dispose();
}
