using Decant.Names;

namespace Decant.Agent.Supervision;

/// <summary>A release with its keeper, started now or taken over from an earlier agent.</summary>
internal sealed class KeptProcess : ISupervisedProcess
{
    private static readonly TimeSpan KeeperGrace = TimeSpan.FromSeconds(3);

    private readonly PidFd? process;
    private readonly PidFd? keeper;

    private KeptProcess(KeptInstance kept, PidFd? process, PidFd? keeper, string directory, TimeProvider time)
    {
        this.process = process;
        this.keeper = keeper;
        Identity = new ProcessIdentity(kept.Pid, kept.StartTicks, kept.BootId);
        Release = new ReleaseId(ReleaseVersion.Parse(kept.Version), Sha256Digest.Parse(kept.Digest));
        StartedAt = kept.StartedAt;
        Exited = WaitAsync(directory, time);
    }

    /// <inheritdoc/>
    public ProcessIdentity Identity { get; }

    /// <inheritdoc/>
    public ReleaseId Release { get; }

    /// <inheritdoc/>
    public DateTimeOffset StartedAt { get; }

    /// <inheritdoc/>
    public Task<ProcessExit> Exited { get; }

    /// <summary>Its keeper runs.</summary>
    public bool HasKeeper => keeper is not null;

    /// <summary>The process that the keeper wrote down, when it is that one that runs; null when it is gone.</summary>
    public static KeptProcess? TryOpen(KeptInstance kept, string directory, TimeProvider time)
        => PidFd.TryOpen(new ProcessIdentity(kept.Pid, kept.StartTicks, kept.BootId)) is { } process
            ? new KeptProcess(kept, process, OpenKeeper(kept), directory, time)
            : null;

    /// <summary>One that ended before anybody could look.</summary>
    public static KeptProcess Ended(KeptInstance kept, string directory, TimeProvider time)
        => new(kept, null, OpenKeeper(kept), directory, time);

    /// <inheritdoc/>
    public void Signal(int signal) => process?.Signal(signal);

    /// <inheritdoc/>
    public void Dispose()
    {
        process?.Dispose();
        keeper?.Dispose();
    }

    private async Task<ProcessExit> WaitAsync(string directory, TimeProvider time)
    {
        if (process is not null) await process.Exited;
        var at = time.GetUtcNow();
        if (keeper is not null)
        {
            // The keeper writes the last lines and the exit code before it ends itself.
            await Task.WhenAny(keeper.Exited, Task.Delay(KeeperGrace, time));
        }

        return KeeperFiles.ReadExit(directory) is { } exit && exit.Pid == Identity.Pid && exit.StartTicks == Identity.StartTicks
            ? new ProcessExit(exit.ExitCode, exit.At)
            : new ProcessExit(null, at);
    }

    private static PidFd? OpenKeeper(KeptInstance kept) => PidFd.TryOpen(new ProcessIdentity(kept.KeeperPid, kept.KeeperStartTicks, kept.BootId));
}
