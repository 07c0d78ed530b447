using Decant.Names;
using Tmds.DBus.Protocol;

namespace Decant.Agent.Supervision;

/// <summary>The main process of a slot's unit, started now or found running.</summary>
internal sealed partial class SystemdProcess : ISupervisedProcess
{
    private const int SigKill = 9;

    /// <summary>After the end of the process, for what systemd has to say of it.</summary>
    private static readonly TimeSpan WordGrace = TimeSpan.FromSeconds(10);

    /// <summary>journald has no event for "all that this process wrote is in": its last lines get this long to arrive.</summary>
    private static readonly TimeSpan JournalGrace = TimeSpan.FromMilliseconds(100);

    private readonly SystemdBus bus;
    private readonly UnitWatch watch;
    private readonly PidFd? process;
    private readonly ILogger logger;

    /// <summary>Takes a watch that is armed and was asked; it is disposed with this.</summary>
    public SystemdProcess(SystemdBus bus, UnitWatch watch, ReleaseId release, TimeProvider time, ILogger logger)
    {
        this.bus = bus;
        this.watch = watch;
        this.logger = logger;
        var state = watch.State;
        // One that has ended already is known by its number alone.
        Identity = (state.MainPid > 0 ? ProcessIdentity.Of(state.MainPid) : null) ?? new ProcessIdentity(state.LastPid, 0, ProcessIdentity.ThisBoot);
        process = PidFd.TryOpen(Identity);
        Release = release;
        StartedAt = state.Began ?? time.GetUtcNow();
        Exited = WaitAsync(time);
    }

    /// <inheritdoc/>
    public ProcessIdentity Identity { get; }

    /// <inheritdoc/>
    public ReleaseId Release { get; }

    /// <inheritdoc/>
    public DateTimeOffset StartedAt { get; }

    /// <inheritdoc/>
    public Task<ProcessExit> Exited { get; }

    /// <inheritdoc/>
    /// <remarks>By systemd: the agent may have no right to signal the app's user. A release that is killed takes all that it started with it.</remarks>
    public void Signal(int signal)
    {
        if (!Exited.IsCompleted) _ = SignalAsync(signal);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        watch.Dispose();
        process?.Dispose();
    }

    private async Task SignalAsync(int signal)
    {
        try
        {
            await bus.KillAsync(watch.Unit, all: signal == SigKill, signal);
        }
        catch (DBusExceptionBase exception)
        {
            if (!Exited.IsCompleted) LogNotSignalled(exception, signal, watch.Unit);
        }
    }

    private async Task<ProcessExit> WaitAsync(TimeProvider time)
    {
        await Task.WhenAny(watch.Over, EndedUnheardAsync(time));
        var at = time.GetUtcNow();
        var state = watch.State;
        var cause = watch.HadJob || (watch.ConnectionLost.IsCompleted && await UnitJournal.WasStoppedByHandAsync(watch.Unit))
            ? await CauseAsync()
            : ExitCause.ItselfOrAgent;
        await Task.Delay(JournalGrace, time);
        return state is { IsOver: true, Ended: { } ended } && state.LastPid == Identity.Pid
            ? new ProcessExit(state.ExitCode, ended, cause)
            : new ProcessExit(null, at, cause);
    }

    /// <summary>Its end is known by the process itself, should the bus say nothing.</summary>
    private async Task EndedUnheardAsync(TimeProvider time)
    {
        if (process is null) await watch.ConnectionLost;
        else await process.Exited;
        await Task.Delay(watch.ConnectionLost.IsCompleted ? TimeSpan.Zero : WordGrace, time);
    }

    /// <summary>The agent never stops a unit by a job: whoever did is somebody else, or the host's shutdown.</summary>
    private async Task<ExitCause> CauseAsync()
    {
        try
        {
            return await bus.IsShuttingDownAsync() ? ExitCause.HostStops : ExitCause.StoppedByHand;
        }
        catch (DBusExceptionBase)
        {
            // A bus that is gone is part of a shutdown, too.
            return ExitCause.HostStops;
        }
    }

    [LoggerMessage(310, LogLevel.Error, "Signal {Signal} could not be sent to {Unit}")]
    private partial void LogNotSignalled(Exception exception, int signal, string unit);
}
