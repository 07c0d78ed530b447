using System.Collections.Concurrent;
using Decant.Controller.Fleet;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>
/// Runs single steps: journals each before it starts and after it ends, and asks for the same operation again when an agent
/// cannot be reached in the middle of it.
/// </summary>
internal sealed class StepRunner(
    IFleet fleet,
    CanaryWatch watch,
    RotationGuard rotation,
    DeploymentJournal journal,
    EventStream events,
    TimeProvider time,
    ExecutorOptions options,
    DeploymentId deployment,
    int attempt,
    StopSignal signal,
    LeaseKeeper lease)
{
    private const int MostRepetitions = 3;

    private readonly Lock gate = new();
    private readonly List<StepRun> running = [];
    // What agents are told of the steps, by the operations that do them.
    private readonly ConcurrentDictionary<OperationId, V1.DeploymentStep> described = [];
    private volatile bool halted;

    /// <summary>The journal could not be written: nothing more is started.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>No new step may start.</summary>
    public bool IsHalted => halted || signal.Stop.IsCancellationRequested || lease.IsLost;

    /// <summary>What runs now.</summary>
    public IReadOnlyList<StepRun> Running
    {
        get
        {
            lock (gate) return [.. running];
        }
    }

    /// <summary>Lets no new step start until <see cref="Proceed"/>; the running ones finish.</summary>
    public void Halt() => halted = true;

    /// <summary>Lets steps start again.</summary>
    public void Proceed() => halted = Fault is not null;

    /// <summary>Runs a step to its end; null when it was not begun because a stop was asked for.</summary>
    public async Task<StepResult?> RunAsync(Step step, bool isRollback, bool isPutBack = false)
    {
        var run = new StepRun(step, DeploymentIds.Operation(deployment, attempt, step, isRollback, isPutBack, 0), attempt, isRollback);
        if (IsHalted || !await lease.MayBeginAsync(Shown(run))) return null;
        var began = time.GetUtcNow();
        lock (gate)
        {
            if (IsHalted) return null;
            if (!TryJournal(run, began, null)) return null;
            running.Add(run);
            events.Tell((at, id) => new StepStarted(at, id, run));
        }

        var start = time.GetTimestamp();
        var end = await EndAsync(run, isPutBack);
        if (LeaseKeeper.IsLoss(end.Error)) lease.Lose(end.Error!);
        if (step is DrainStep drained) rotation.Ended(drained);
        lock (gate)
        {
            running.Remove(run);
            TryJournal(run, began, end);
            events.Tell((at, id) => new StepEnded(at, id, run, end, time.GetElapsedTime(start)));
        }

        return new StepResult(run, end);
    }

    private async Task<StepEnd> EndAsync(StepRun run, bool isPutBack)
    {
        try
        {
            return await ReachEndAsync(run, isPutBack);
        }
        catch (OperationCanceledException) when (signal.Abort.IsCancellationRequested || (run.Step is BakeStep && IsHalted))
        {
            return new StepEnd(StepState.Aborted, "", false, Aborted, []);
        }
#pragma warning disable CA1031 // A bug in one host's step must not keep the others' ends out of the journal.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            var error = new OperatorError(StatusCode.Internal, "INTERNAL", $"unexpected: {exception.Message}", "please report this as a bug");
            return new StepEnd(StepState.Unknown, "", false, error.With("host", run.Step.Host.Value), []);
        }
    }

    private async Task<StepEnd> ReachEndAsync(StepRun run, bool isPutBack)
    {
        var operation = run.Operation;
        var reconnect = new Reconnect(options, time);
        if (run.Step is DrainStep drain && await rotation.WhyNotAsync(drain, text => Progressed(run, reconnect, new StepProgress.Message(text)), signal.Abort) is { } refusal)
            return new StepEnd(StepState.Failed, "", Unchanged: false, refusal, []);
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(signal.Stop, lease.Lost);
        for (var repetition = 0; ;)
        {
            // Watching changes nothing: it is left at once.
            var outcome = run.Step is BakeStep bake
                ? await watch.RunAsync(bake.Gate, progress => Progressed(run, reconnect, progress), leave.Token)
                : await fleet.RunAsync(run.Step, operation, deployment, progress => Progressed(run, reconnect, progress), signal.Abort);
            switch (outcome)
            {
                case StepOutcome.Succeeded done:
                    return new StepEnd(StepState.Succeeded, done.Detail, done.Unchanged, null, []);
                // The agent died in the middle and says so. The work of a step is safe to repeat, except for a migration's.
                case StepOutcome.Failed { Error.Reason: "OPERATION_INTERRUPTED" } interrupted when run.Step is not (MigrateStep or MigrateDownStep) && repetition < MostRepetitions:
                    operation = DeploymentIds.Operation(deployment, attempt, run.Step, run.IsRollback, isPutBack, ++repetition);
                    fleet.Records.Describe(operation, described[run.Operation]);
                    events.Tell((at, id) => new StepRetried(at, id, run, TimeSpan.Zero, interrupted.Error));
                    if (!await lease.MayBeginAsync(Shown(run))) return new StepEnd(StepState.Failed, "", false, interrupted.Error, interrupted.Tail);
                    break;
                case StepOutcome.Failed failed:
                    return new StepEnd(StepState.Failed, "", false, failed.Error, failed.Tail);
                case StepOutcome.Unknown unknown when !lease.IsLost && reconnect.NextPause() is { } pause:
                    events.Tell((at, id) => new StepRetried(at, id, run, pause, unknown.Error));
                    await time.ForAsync(pause, signal.Abort);
                    if (!await lease.MayBeginAsync(Shown(run))) return new StepEnd(StepState.Unknown, "", false, unknown.Error, []);
                    break;
                case StepOutcome.Unknown unknown:
                    return new StepEnd(StepState.Unknown, "", false, unknown.Error, []);
            }
        }
    }

    private static string Shown(StepRun run) => $"{(run.IsRollback ? "rollback: " : "")}{run.Step.Describe()}";

    private void Progressed(StepRun run, Reconnect reconnect, StepProgress progress)
    {
        reconnect.Heard();
        events.Tell((at, id) => new StepProgressed(at, id, run, progress));
    }

    private bool TryJournal(StepRun run, DateTimeOffset began, StepEnd? end)
    {
        try
        {
            var record = new StepRecord(
                deployment,
                run.Step.Key,
                run.Step.Host,
                run.Step.Verb,
                run.Step.Describe(),
                run.Operation,
                attempt,
                run.IsRollback,
                run.Step.Hosts,
                run.Step.TakesOut,
                run.Step.PutsIn,
                began,
                end is null ? null : time.GetUtcNow(),
                end);
            var order = journal.Put(record);
            if (end is not null || run.Step is BakeStep) return true;
            fleet.Records.Describe(run.Operation, described[run.Operation] = RecordMapping.ToMessage(record, order));
            return true;
        }
#pragma warning disable CA1031 // What cannot be journaled is not done; the deployment ends by saying so.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Fault ??= exception;
            halted = true;
            return false;
        }
    }

    private static readonly OperatorError Aborted = new(
        StatusCode.Cancelled, "ABORTED", "given up by the operator; the agent was asked to cancel it", "see `decant status`");
}

/// <summary>A step run and how it ended.</summary>
internal sealed record StepResult(StepRun Run, StepEnd End)
{
    /// <summary>The same as a failure.</summary>
    public StepFailure AsFailure() => new(Run, End.State, End.Error!, End.Tail);
}
