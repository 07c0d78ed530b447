using Decant.Agent.Elixir;
using Decant.Agent.Health;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Agent.Supervision;
using Decant.Names;

namespace Decant.Agent.Instances;

/// <summary>
/// One slot: what it is meant to run, what it runs, and how that is started again when it dies. Changed by one caller at a time; read by
/// snapshot.
/// </summary>
internal sealed partial class InstanceSlot(InstanceParts parts, InstanceRecord first, ILogger<InstanceSlot> logger) : IDisposable
{
    private const int TailLines = 50;
    private static readonly TimeSpan NameGrace = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim changing = new(1, 1);
    private readonly Lock gate = new();
    private InstanceRecord record = first;
    private InstanceRun? run;
    private HealthThresholds? health;
    private Backoff backoff = new(parts.Restart, 0);
    private DateTimeOffset? restartAt;
    private CancellationTokenSource restarting = new();
    private CancellationTokenSource retiring = new();
    private bool stopping;
    private bool disposed;

    /// <summary>App and slot.</summary>
    public InstanceKey Key => record.Key;

    /// <summary>What runs now; null when nothing does.</summary>
    public InstanceRun? Run
    {
        get
        {
            lock (gate) return run;
        }
    }

    /// <summary>As it is now.</summary>
    public InstanceSnapshot Snapshot()
    {
        lock (gate)
        {
            return new InstanceSnapshot(
                record, State(), run?.Process.Identity, run?.Process.StartedAt, restartAt, run?.AdoptedAt, health?.Seen);
        }
    }

    /// <summary>The last lines that what runs now has printed; of whatever ran last when nothing does.</summary>
    public IReadOnlyList<string> LastLines(int count) => LastLines(count, Run?.Process.StartedAt);

    /// <summary>Takes over what runs since before this agent started, or starts again what should run and does not.</summary>
    public async Task ResumeAsync(CancellationToken cancellation)
    {
        await changing.WaitAsync(cancellation);
        try
        {
            if (await parts.Supervisor.AdoptAsync(Key) is { } process)
            {
                LogAdopted(Key, process.Identity.Pid, process.StartedAt);
                Begin(new InstanceRun(process, parts.Time, parts.Time.GetUtcNow()), record with { Release = process.Release });
                if (record.Retirement is { } retirement) ScheduleRetirement(retirement);
                return;
            }

            // One without traffic that died is not missed by anybody.
            if (record.Retirement is not null) Note(r => r with { Wanted = false, Retirement = null });
            if (!record.Wanted) return;
            var exit = await parts.Supervisor.LastExitAsync(Key);
            var report = Report(exit ?? new ProcessExit(null, parts.Time.GetUtcNow()), since: null);
            if (exit is { Cause: ExitCause.StoppedByHand })
            {
                LogStoppedByHand(Key);
                Note(r => r with { Wanted = false, StoppedByHand = true, LastExit = report });
                return;
            }

            LogFoundDead(Key, report.Describe());
            // A full disk must not keep the agent from starting.
            Note(r => r with { LastExit = report, Restarts = r.Restarts + 1 });
            ScheduleRestart(TimeSpan.Zero);
        }
        finally
        {
            changing.Release();
        }
    }

    /// <summary>Takes over what somebody else has started in the slot, which is then meant to run; nothing when the agent knows it already.</summary>
    public async Task TakeOverAsync()
    {
        await changing.WaitAsync();
        try
        {
            if (Run is not null || await parts.Supervisor.AdoptAsync(Key) is not { } process) return;
            LogStartedByHand(Key, process.Identity.Pid);
            CancelRestart();
            Begin(new InstanceRun(process, parts.Time, parts.Time.GetUtcNow()), record with { Wanted = true, Release = process.Release, StoppedByHand = false });
            lock (gate) TrySave();
        }
        finally
        {
            changing.Release();
        }
    }

    /// <summary>Starts a release in the slot.</summary>
    public async Task<Started> StartAsync(InstanceRecord wanted, IOperationReport report, CancellationToken cancellation)
    {
        var release = parts.Releases.Get(Key.App, wanted.Release.Version, wanted.Release.Digest);
        await changing.WaitAsync(cancellation);
        try
        {
            if (Run is { } present && !present.Ended.IsCompleted)
            {
                if (present.Process.Release != wanted.Release || !record.Spec.IsSameAs(wanted.Spec))
                    throw InstanceErrors.SlotOccupied(Key, present.Process.Release);
                CancelRetirement();
                Change(r => wanted with { Restarts = r.Restarts, LastExit = r.LastExit });
                return new Started(present.Process.Identity.Pid, present.Process.Identity.StartTicks, Unchanged: true);
            }

            await CheckRoomAsync(wanted, report, cancellation);
            // From here on this start is what the slot is for, not the one that it backs off from.
            CancelRestart();
            CancelRetirement();
            backoff = new Backoff(parts.Restart, 0);
            // Written before it is done: an agent that dies in between finds what it was to do.
            Change(_ => wanted);
            var started = await FirstLaunchAsync(release, cancellation);
            report.Message($"started pid {started.Process.Identity.Pid}");
            return new Started(started.Process.Identity.Pid, started.Process.Identity.StartTicks);
        }
        finally
        {
            changing.Release();
        }
    }

    /// <summary>Stops what runs in the slot, and what would be started again, and returns when its process is gone.</summary>
    /// <param name="deadlines">For each means.</param>
    /// <param name="goneBackFrom">Its release did not do: no rollback is to go to it.</param>
    /// <param name="report">Told what happens.</param>
    /// <param name="cancellation">Gives up waiting.</param>
    public async Task<Stopped> StopAsync(StopDeadlines deadlines, bool goneBackFrom, IOperationReport report, CancellationToken cancellation)
    {
        await changing.WaitAsync(cancellation);
        try
        {
            CancelRetirement();
            if (goneBackFrom) parts.Store.ForgetKnownGood(record.Key.App, record.Release);
            return await StopPresentAsync(deadlines, report, cancellation);
        }
        finally
        {
            changing.Release();
        }
    }

    /// <summary>
    /// Somebody else has checked this run's health: that counts at once, so that a host which a deployment has just called healthy is so to
    /// whoever asks next. The slot's own checks go on from there.
    /// </summary>
    public void TakeHealth(InstanceRun checkedRun, HealthSeen seen)
    {
        lock (gate)
        {
            if (run == checkedRun && health is { } before) health = before with { Seen = seen };
        }
    }

    /// <summary>The agent stops: what runs goes on, nobody watches it any more.</summary>
    public void Dispose()
    {
        InstanceRun? left;
        lock (gate)
        {
            if (disposed) return;
            disposed = true;
            (left, run) = (run, null);
        }

        CancelRestart();
        CancelRetirement();
        left?.Dispose();
        changing.Dispose();
        restarting.Dispose();
        retiring.Dispose();
    }

    /// <summary>Stops what runs. The caller holds <see cref="changing"/>.</summary>
    private async Task<Stopped> StopPresentAsync(StopDeadlines deadlines, IOperationReport report, CancellationToken cancellation)
    {
        CancelRestart();
        Change(r => r with { Wanted = false, Retirement = null });
        if (Run is not { } present || present.Ended.IsCompleted) return new Stopped(StopMeans.NotRunning, TimeSpan.Zero, null);
        SetStopping(true);
        try
        {
            var release = parts.Releases.TryGet(Key.App, present.Process.Release);
            var target = release is null ? null : new ReleaseInSlot(Key, record.Spec, release, report.Deployment);
            var stopped = await new InstanceStop(Key, present, target, parts.Script, parts.Time).RunAsync(deadlines, report, cancellation);
            await present.Ended.WaitAsync(cancellation);
            if (record.Spec.Distribution) await parts.Epmd.WaitUntilFreeAsync(record.Spec.Node, NameGrace, cancellation);
            return stopped;
        }
        finally
        {
            SetStopping(false);
        }
    }

    private async Task CheckRoomAsync(InstanceRecord wanted, IOperationReport report, CancellationToken cancellation)
    {
        if (ListeningPorts.Describe(wanted.Spec.Port) is { } owner) throw InstanceErrors.PortInUse(Key, wanted.Spec.Port, owner);
        if (!wanted.Spec.Distribution || !await parts.Epmd.IsRegisteredAsync(wanted.Spec.Node, cancellation)) return;
        report.Message($"waiting until epmd has let go of the name {wanted.Spec.Node}");
        if (!await parts.Epmd.WaitUntilFreeAsync(wanted.Spec.Node, NameGrace, cancellation))
            throw InstanceErrors.NodeNameInUse(Key, wanted.Spec.Node.ToString());
    }

    /// <summary>A start that fails is told to its caller, who decides what next: it is not tried again behind his back.</summary>
    private async Task<InstanceRun> FirstLaunchAsync(StagedRelease release, CancellationToken cancellation)
    {
        try
        {
            return await LaunchAsync(release, cancellation);
        }
        catch
        {
            Note(r => r with { Wanted = false });
            throw;
        }
    }

    private async Task<InstanceRun> LaunchAsync(StagedRelease release, CancellationToken cancellation)
    {
        var target = new ReleaseInSlot(Key, record.Spec, release, record.Deployment);
        await parts.Epmd.EnsureRunningAsync(target, cancellation);
        var started = new InstanceRun(await parts.Supervisor.StartAsync(target, cancellation), parts.Time, adoptedAt: null);
        LogStarted(Key, release.Id, started.Process.Identity.Pid);
        Begin(started, record);
        return started;
    }

    private void Begin(InstanceRun begun, InstanceRecord with)
    {
        lock (gate)
        {
            record = with;
            run = begun;
            restartAt = null;
            health = with.Health is { } check ? HealthThresholds.Of(check) : null;
        }

        _ = Task.Run(() => WatchEndAsync(begun));
        if (with.Health is { } watched) _ = Task.Run(() => WatchHealthAsync(begun, watched));
    }

    private async Task WatchEndAsync(InstanceRun watched)
    {
        var exit = await watched.Process.Exited;
        // Not when this agent has stopped watching: the end is then for the next one to tell.
        if (Run != watched) return;
        var ran = watched.Age;
        var report = Report(exit, watched.Process.StartedAt);
        TimeSpan? restartAfter = null;
        bool byHand;
        lock (gate)
        {
            if (run != watched) return;
            run = null;
            health = null;
            var died = record is { Wanted: true, Retirement: null } && !stopping && exit.Cause == ExitCause.ItselfOrAgent;
            byHand = exit.Cause == ExitCause.StoppedByHand && !stopping;
            if (record.Retirement is not null || byHand) record = record with { Wanted = false, Retirement = null, StoppedByHand = byHand };
            record = record with { LastExit = report, Restarts = died ? record.Restarts + 1 : record.Restarts };
            TrySave();
            if (died)
            {
                backoff = backoff.After(ran);
                restartAfter = backoff.Wait;
            }
        }

        if (byHand)
        {
            LogStoppedByHand(Key);
        }
        else if (restartAfter is { } wait)
        {
            LogDied(Key, watched.Process.Release, watched.Process.Identity.Pid, report.Describe(), ran, wait);
            ScheduleRestart(wait);
        }
        else
        {
            LogEnded(Key, watched.Process.Release, watched.Process.Identity.Pid, report.Describe());
        }

        watched.End(report);
        watched.Dispose();
    }

    private async Task WatchHealthAsync(InstanceRun watched, HealthCheck check)
    {
        try
        {
            while (true)
            {
                await Task.Delay(Snapshot().Health is { IsHealthy: true } ? check.Interval : check.StartInterval * 5, parts.Time, watched.Watching);
                if (parts.Releases.TryGet(Key.App, watched.Process.Release) is not { } release) continue;
                var failure = await parts.Prober.ProbeAsync(check, new ReleaseInSlot(Key, record.Spec, release, null), watched.Watching);
                lock (gate)
                {
                    if (run != watched || health is not { } before) return;
                    health = before.After(failure);
                    if (before.Seen.IsHealthy && health is { Seen.IsHealthy: false }) LogUnhealthy(Key, failure ?? "");
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The run has ended, or the agent stops.
        }
    }

    private void ScheduleRestart(TimeSpan wait)
    {
        CancellationToken cancelled;
        lock (gate)
        {
            // Stopped, or started by an operation, since it died.
            if (!record.Wanted || run is not null) return;
            restarting.Dispose();
            restarting = new CancellationTokenSource();
            cancelled = restarting.Token;
            restartAt = parts.Time.GetUtcNow() + wait;
        }

        _ = Task.Run(
            async () =>
            {
                try
                {
                    await Task.Delay(wait, parts.Time, cancelled);
                    await RestartAsync(cancelled);
                }
                catch (OperationCanceledException)
                {
                    // Stopped, or started by an operation, in between.
                }
            },
            CancellationToken.None);
    }

    private async Task RestartAsync(CancellationToken cancellation)
    {
        await changing.WaitAsync(cancellation);
        try
        {
            if (!record.Wanted || Run is not null) return;
            var release = parts.Releases.Get(Key.App, record.Release.Version, record.Release.Digest);
            if (record.Spec.Distribution) await parts.Epmd.WaitUntilFreeAsync(record.Spec.Node, NameGrace, cancellation);
            await LaunchAsync(release, cancellation);
        }
#pragma warning disable CA1031 // Whatever went wrong (a full disk, a program that is just being replaced), an instance that should run is tried again.
        catch (Exception exception) when (exception is not OperationCanceledException)
#pragma warning restore CA1031
        {
            backoff = backoff.After(TimeSpan.Zero);
            LogNotRestarted(Key, exception.Message, backoff.Wait);
            ScheduleRestart(backoff.Wait);
        }
        finally
        {
            changing.Release();
        }
    }

    private void CancelRestart()
    {
        lock (gate)
        {
            restarting.Cancel();
            restartAt = null;
        }
    }

    /// <summary>Written first: when that fails, the slot is as it was, in memory and on disk.</summary>
    private void Change(Func<InstanceRecord, InstanceRecord> change)
    {
        lock (gate)
        {
            var changed = change(record);
            parts.Store.Save(changed);
            record = changed;
        }
    }

    /// <summary>What has happened has, whether it can be written down or not.</summary>
    private void Note(Func<InstanceRecord, InstanceRecord> change)
    {
        lock (gate)
        {
            record = change(record);
            TrySave();
        }
    }

    /// <summary>Writes down that it died. That this fails must not keep it from being started again.</summary>
    private void TrySave()
    {
        try
        {
            parts.Store.Save(record);
        }
#pragma warning disable CA1031 // LiteDB has many ways to say that the disk is full.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogNotSaved(exception, Key);
        }
    }

    private void SetStopping(bool value)
    {
        lock (gate) stopping = value;
    }

    private ExitReport Report(ProcessExit exit, DateTimeOffset? since)
    {
        try
        {
            return new ExitReport(exit.ExitCode, exit.At, LastLines(TailLines, since), parts.CrashDumps.Collect(Key, exit.At));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            LogNoDetails(exception, Key);
            return new ExitReport(exit.ExitCode, exit.At, [], CrashDump: null);
        }
    }

    /// <summary>The log goes on from one run to the next: what an earlier run printed explains nothing about this one.</summary>
    private IReadOnlyList<string> LastLines(int count, DateTimeOffset? since)
        => [.. parts.Supervisor.Log(Key).LastLines(count).Where(l => since is null || l.At >= since).Select(l => l.Text)];

    private InstanceState State() => (run, restartAt, health) switch
    {
        (null, not null, _) => InstanceState.BackingOff,
        (null, null, _) => InstanceState.Stopped,
        _ when stopping => InstanceState.Stopping,
        (_, _, null) or (_, _, { Seen.IsHealthy: true }) => InstanceState.Running,
        (_, _, { Seen.Failures: var failures, Fall: var fall }) when failures < fall => InstanceState.Starting,
        _ => run.Age < TimeSpan.FromSeconds(60) ? InstanceState.Starting : InstanceState.Unhealthy,
    };

    [LoggerMessage(409, LogLevel.Warning, "{Key} was stopped by hand; it stays stopped until it is started")]
    private partial void LogStoppedByHand(InstanceKey key);

    [LoggerMessage(410, LogLevel.Warning, "{Key} was started by hand, pid {Pid}; taken over")]
    private partial void LogStartedByHand(InstanceKey key, int pid);

    [LoggerMessage(407, LogLevel.Information, "{Key} has no traffic any more: it is stopped at {At:u}")]
    private partial void LogRetires(InstanceKey key, DateTimeOffset at);

    [LoggerMessage(408, LogLevel.Error, "{Key} could not be stopped when its time was over: {Reason}")]
    private partial void LogNotRetired(InstanceKey key, string reason);

    [LoggerMessage(400, LogLevel.Information, "{Key} started: {Release}, pid {Pid}")]
    private partial void LogStarted(InstanceKey key, ReleaseId release, int pid);

    [LoggerMessage(401, LogLevel.Information, "{Key} re-adopted: pid {Pid}, running since {StartedAt:u}")]
    private partial void LogAdopted(InstanceKey key, int pid, DateTimeOffset startedAt);

    [LoggerMessage(402, LogLevel.Warning, "{Key} died while no agent watched ({Exit}); it is started again")]
    private partial void LogFoundDead(InstanceKey key, string exit);

    [LoggerMessage(403, LogLevel.Error, "{Key} died: {Release}, pid {Pid}, {Exit} after {Ran}; it is started again in {Wait}")]
    private partial void LogDied(InstanceKey key, ReleaseId release, int pid, string exit, TimeSpan ran, TimeSpan wait);

    [LoggerMessage(404, LogLevel.Information, "{Key} ended: {Release}, pid {Pid}, {Exit}")]
    private partial void LogEnded(InstanceKey key, ReleaseId release, int pid, string exit);

    [LoggerMessage(405, LogLevel.Warning, "{Key} is no longer healthy: {Failure}")]
    private partial void LogUnhealthy(InstanceKey key, string failure);

    [LoggerMessage(406, LogLevel.Error, "{Key} could not be started again: {Reason}; next attempt in {Wait}")]
    private partial void LogNotRestarted(InstanceKey key, string reason, TimeSpan wait);

    [LoggerMessage(407, LogLevel.Error, "{Key} has ended, but that could not be written to the agent's database")]
    private partial void LogNotSaved(Exception exception, InstanceKey key);

    [LoggerMessage(408, LogLevel.Warning, "{Key} has ended, but its last lines and its crash dump could not be read")]
    private partial void LogNoDetails(Exception exception, InstanceKey key);
}
