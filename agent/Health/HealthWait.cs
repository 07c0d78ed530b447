using Decant.Agent.Elixir;
using Decant.Agent.Instances;
using Decant.Agent.Operations;

namespace Decant.Agent.Health;

/// <summary>How long a new instance may take, and how long it must then last.</summary>
/// <param name="Deadline">Until it is healthy for the first time.</param>
/// <param name="MinHealthy">How long it must then stay so.</param>
internal sealed record HealthPatience(TimeSpan Deadline, TimeSpan MinHealthy);

/// <summary>
/// Waits until an instance is healthy, stays healthy, and is verified to be what was deployed. An instance that dies ends the wait at once,
/// with its last lines.
/// </summary>
internal sealed class HealthWait(HealthProber prober, RunningVerification verification, InstanceStore store, TimeProvider time)
{
    private const int TailLines = 10;

    /// <summary>A VM that dies closes its ports first: its end, which says more, is given this long to be seen.</summary>
    private static readonly TimeSpan DeathGrace = TimeSpan.FromSeconds(1);

    /// <summary>Waits.</summary>
    /// <exception cref="Errors.OperatorException">INSTANCE_EXITED, NOT_HEALTHY, WRONG_RELEASE, NOT_RUNNING.</exception>
    public async Task<Healthy> RunAsync(
        InstanceSlot slot, ReleaseInSlot wanted, HealthCheck check, HealthPatience patience, IOperationReport report, CancellationToken cancellation)
    {
        var run = RunOf(slot, wanted);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        // Asked beside the health checks, so that it costs no time of its own.
        var verifying = verification.VerifyAsync(wanted, run, both.Token);
        try
        {
            var began = time.GetTimestamp();
            var thresholds = await UntilHealthyAsync(slot, run, wanted, check, patience, report, cancellation);
            var healthyAfter = time.GetElapsedTime(began);
            thresholds = await UntilProvenAsync(slot, run, wanted, check, thresholds, patience, report, cancellation);
            var verified = await VerifiedAsync(verifying, slot, run, wanted, patience, cancellation);
            slot.TakeHealth(run, thresholds.Seen);
            store.MarkKnownGood(wanted.Key.App, wanted.Release.Id, time.GetUtcNow());
            return new Healthy(healthyAfter, verified);
        }
        finally
        {
            await both.CancelAsync();
            await verifying.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private static InstanceRun RunOf(InstanceSlot slot, ReleaseInSlot wanted)
    {
        if (slot.Run is { } run)
        {
            return run.Process.Release == wanted.Release.Id
                ? run
                : throw InstanceErrors.WrongRelease(wanted.Key, wanted.Release.Id.ToString(), run.Process.Release.ToString(), "supervisor");
        }

        // It died before anybody asked: that is the answer.
        throw slot.Snapshot().Record is { LastExit: { } exit, Wanted: true }
            ? InstanceErrors.Exited(wanted.Key, wanted.Release.Id, exit)
            : InstanceErrors.NotRunning(wanted.Key);
    }

    private async Task<HealthThresholds> UntilHealthyAsync(
        InstanceSlot slot,
        InstanceRun run,
        ReleaseInSlot wanted,
        HealthCheck check,
        HealthPatience patience,
        IOperationReport report,
        CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        var thresholds = HealthThresholds.Of(check);
        while (true)
        {
            var before = thresholds.Seen;
            thresholds = thresholds.After(await ProbeAsync(run, wanted, check, cancellation));
            if (thresholds.Seen.LastFailure != before.LastFailure || thresholds.Seen.Successes > 0) report.Health(thresholds.Seen);
            if (thresholds.Seen.IsHealthy) return thresholds;
            if (time.GetElapsedTime(began) > patience.Deadline)
            {
                throw InstanceErrors.NotHealthy(
                    wanted.Key, wanted.Release.Id, patience.Deadline, thresholds.Seen.LastFailure, slot.LastLines(TailLines));
            }

            await PauseAsync(run, wanted, check.StartInterval, cancellation);
        }
    }

    private async Task<HealthThresholds> UntilProvenAsync(
        InstanceSlot slot,
        InstanceRun run,
        ReleaseInSlot wanted,
        HealthCheck check,
        HealthThresholds thresholds,
        HealthPatience patience,
        IOperationReport report,
        CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        for (var left = patience.MinHealthy; left > TimeSpan.Zero; left = patience.MinHealthy - time.GetElapsedTime(began))
        {
            await PauseAsync(run, wanted, left < check.Interval ? left : check.Interval, cancellation);
            var before = thresholds.Seen;
            thresholds = thresholds.After(await ProbeAsync(run, wanted, check, cancellation));
            if (thresholds.Seen.LastFailure != before.LastFailure) report.Health(thresholds.Seen);
            if (thresholds.Seen.IsHealthy) continue;
            await PauseAsync(run, wanted, DeathGrace, cancellation);
            throw InstanceErrors.DidNotStayHealthy(wanted.Key, wanted.Release.Id, thresholds.Seen.LastFailure, slot.LastLines(TailLines));
        }

        return thresholds;
    }

    private async Task<RunningRelease> VerifiedAsync(
        Task<RunningRelease> verifying,
        InstanceSlot slot,
        InstanceRun run,
        ReleaseInSlot wanted,
        HealthPatience patience,
        CancellationToken cancellation)
    {
        try
        {
            if (await Task.WhenAny(verifying, run.Ended).WaitAsync(patience.Deadline, time, cancellation) == run.Ended)
                throw InstanceErrors.Exited(wanted.Key, wanted.Release.Id, await run.Ended);
            return await verifying;
        }
        catch (TimeoutException)
        {
            throw InstanceErrors.NotHealthy(
                wanted.Key, wanted.Release.Id, patience.Deadline, "it is healthy, but its node does not answer what it runs", slot.LastLines(TailLines));
        }
    }

    private async Task<string?> ProbeAsync(InstanceRun run, ReleaseInSlot wanted, HealthCheck check, CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, run.Watching);
        try
        {
            var failure = await prober.ProbeAsync(check, wanted, either.Token);
            return run.Process.Exited.IsCompleted ? throw InstanceErrors.Exited(wanted.Key, wanted.Release.Id, await run.Ended) : failure;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw InstanceErrors.Exited(wanted.Key, wanted.Release.Id, await run.Ended);
        }
    }

    private async Task PauseAsync(InstanceRun run, ReleaseInSlot wanted, TimeSpan pause, CancellationToken cancellation)
    {
        var delay = Task.Delay(pause, time, cancellation);
        if (await Task.WhenAny(delay, run.Process.Exited) == delay)
        {
            await delay;
            return;
        }

        throw InstanceErrors.Exited(wanted.Key, wanted.Release.Id, await run.Ended);
    }
}
