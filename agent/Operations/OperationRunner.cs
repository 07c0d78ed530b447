using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Decant.Agent.Leases;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Operations;

/// <summary>
/// Runs operations: journals each before it starts and after it ends, lets a repeated call join or replay the first one, and keeps
/// them going when the caller hangs up.
/// </summary>
internal sealed partial class OperationRunner(OperationJournal journal, LeaseBook leases, TimeProvider time, ILogger<OperationRunner> logger) : IAsyncDisposable
{
    /// <summary>How many may run, or wait for their turn, at once.</summary>
    public const int Most = 200;

    private const int EventsKept = 200;

    // What an interrupted operation has to end in: a migration's VM gets SIGTERM, and SIGKILL 2 s later.
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(3);

    private readonly Lock gate = new();
    private readonly Dictionary<OperationId, (RunningOperation Operation, Task Work, FencingToken? Token)> running = [];
    private readonly List<Channel<OperationRecord>> watchers = [];
    private readonly KeyedLock turns = new();
    private bool stopping;

    /// <summary>Begins an operation, or finds the one that has this id already.</summary>
    /// <exception cref="OperatorException">
    /// The id was used for another request, somebody else holds the app's lease, too many run already, the journal cannot be written, or the agent is stopping.
    /// </exception>
    public RunningOperation Begin(OperationRequest request, OperationWork work)
    {
        lock (gate)
        {
            if (Find(request.Id) is { } known)
            {
                if (known.Record.Fingerprint != request.Fingerprint) throw new OperatorException(IdReused(known.Record));
                return known;
            }

            if (stopping) throw new OperatorException(AgentStopping.Error);
            leases.Check(request.Subject.App, request.Token, LeaseRules.Of(request.Kind));
            if (running.Count >= Most) throw new OperatorException(TooMany);
            var operation = new RunningOperation(
                new OperationRecord(
                    request.Id, request.Deployment, request.Kind, request.Subject, request.Fingerprint, time.GetUtcNow(), OperationState.Running, Step: request.Step),
                time);
            journal.Begin(operation.Record);
            Announce(operation.Record);
            // Taken here, so that turns come in the order of the calls.
            var turn = TakeTurn(operation, request.Exclusive);
            running[request.Id] = (operation, Task.Run(() => RunAsync(operation, turn, work)), request.Token);
            return operation;
        }
    }

    /// <summary>An operation, running or journaled; null when nobody knows it.</summary>
    public RunningOperation? Find(OperationId id)
    {
        lock (gate)
        {
            if (running.TryGetValue(id, out var active)) return active.Operation;
            // One that the journal calls running and that does not run was never begun: its journaling failed half way.
            return journal.Find(id) is ({ State: not OperationState.Running } record, var events) ? new RunningOperation(record, events, time) : null;
        }
    }

    /// <summary>Running operations, oldest first.</summary>
    public IReadOnlyList<OperationRecord> Running()
    {
        lock (gate) return [.. running.Values.Select(r => r.Operation.Record).OrderBy(r => r.StartedAt)];
    }

    /// <summary>What runs now for an app, and what does not say for which: it may be that one.</summary>
    public IReadOnlyList<RunningWork> WorkOf(AppName app)
    {
        lock (gate)
        {
            return [.. running.Values
                .Where(r => r.Operation.Record.Subject.App is not { } other || other == app)
                .Select(r => new RunningWork(r.Operation.Record, r.Token, r.Work))];
        }
    }

    /// <summary>Operations that run now, then every one that begins or ends, until cancelled. A follower that is too slow loses the oldest.</summary>
    /// <exception cref="OperatorException">The agent is stopping.</exception>
    public async IAsyncEnumerable<OperationRecord> WatchAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var channel = Channel.CreateBounded<OperationRecord>(new BoundedChannelOptions(1000) { FullMode = BoundedChannelFullMode.DropOldest });
        lock (gate)
        {
            if (stopping) throw new OperatorException(AgentStopping.Error);
            foreach (var record in Running()) channel.Writer.TryWrite(record);
            watchers.Add(channel);
        }

        try
        {
            await foreach (var record in channel.Reader.ReadAllAsync(cancellation)) yield return record;
        }
        finally
        {
            lock (gate) watchers.Remove(channel);
        }

        throw new OperatorException(AgentStopping.Error);
    }

    /// <summary>
    /// Stops the agent's work: what runs is cancelled and journaled as interrupted, also what does not end in time. Then those who follow it
    /// are told, and the watchers.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        List<(RunningOperation Operation, Task Work, FencingToken? Token)> work;
        lock (gate)
        {
            if (stopping) return;
            stopping = true;
            work = [.. running.Values];
        }

        foreach (var (operation, _, _) in work) await operation.Cancellation.CancelAsync();
        try
        {
            await Task.WhenAll(work.Select(w => w.Work)).WaitAsync(StopLimit, time);
        }
        catch (TimeoutException)
        {
            foreach (var (operation, _, _) in work) End(Interrupted(operation, "the agent was stopped and did not wait for its end"), operation);
        }

        lock (gate)
        {
            foreach (var watcher in watchers) watcher.Writer.TryComplete();
        }
    }

    private async Task RunAsync(RunningOperation operation, Task<IDisposable>? turn, OperationWork work)
    {
        var subject = operation.Record.Subject;
        using var scope = logger.BeginScope(ScopeOf(operation));
        LogStarted(operation.Record.Kind, operation.Id, operation.Deployment, subject);
        OperationRecord ended;
        try
        {
            using var taken = turn is null ? null : await turn;
            var result = await work(operation, operation.Cancellation.Token);
            ended = operation.Record with { State = OperationState.Succeeded, Result = result };
        }
        catch (OperationCanceledException) when (operation.Cancellation.IsCancellationRequested)
        {
            ended = operation.CancelReason is { } reason
                ? operation.Record with { State = OperationState.Cancelled, Error = Cancelled(reason) }
                : Interrupted(operation, "the agent was stopped");
        }
        catch (OperatorException exception)
        {
            ended = operation.Record with { State = OperationState.Failed, Error = exception.Error };
        }
#pragma warning disable CA1031 // The edge: whatever went wrong ends as a journaled failure, and the log has the trace.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogBug(exception, operation.Record.Kind, operation.Id, operation.Deployment, subject);
            ended = operation.Record with { State = OperationState.Failed, Error = UnexpectedError.Of(exception) };
        }

        End(ended, operation);
    }

    private void End(OperationRecord ended, RunningOperation operation)
    {
        ended = ended with { EndedAt = time.GetUtcNow() };
        lock (gate)
        {
            if (!running.ContainsKey(ended.Id)) return;
            var problem = journal.End(ended, operation.Newest(EventsKept));
            running.Remove(ended.Id);
            LogEnded(ended.Kind, ended.Id, ended.Deployment, ended.Subject, ended.State, ended.Error?.Reason ?? "", operation.Elapsed.TotalSeconds);
            if (problem is not null) LogJournalFailed(problem, ended.Id, ended.Deployment, ended.Subject);
            operation.Finish(ended);
            Announce(ended);
        }
    }

    private Task<IDisposable>? TakeTurn(RunningOperation operation, string? key)
    {
        if (key is null) return null;
        if (turns.IsHeld(key)) operation.Message($"waiting for another operation on {key} to end");
        return turns.AcquireAsync(key, operation.Cancellation.Token);
    }

    private void Announce(OperationRecord record)
    {
        foreach (var watcher in watchers) watcher.Writer.TryWrite(record);
    }

    // For every line that is logged while it runs, and by what it started: not the operation's id, which those would outlive.
    private static Dictionary<string, object?> ScopeOf(RunningOperation operation) => new()
    {
        ["Deployment"] = operation.Deployment,
        ["App"] = operation.Record.Subject.App,
        ["Slot"] = operation.Record.Subject.Slot,
    };

    private static OperationRecord Interrupted(RunningOperation operation, string why)
        => operation.Record with { State = OperationState.Interrupted, Error = OperationJournal.Interrupted(why) };

    private static OperatorError IdReused(OperationRecord known) => new(
        StatusCode.AlreadyExists,
        "OPERATION_ID_REUSED",
        $"operation id {known.Id} was used at {known.StartedAt:u} for another request ({known.Kind})",
        "use a new operation id for a new request");

    private static OperatorError TooMany { get; } = new(
        StatusCode.ResourceExhausted,
        "TOO_MANY_OPERATIONS",
        $"{Most} operations run, or wait for their turn, on this host already; this one was not begun",
        "wait for them, or cancel some (decant status, CancelOperation)");

    private static OperatorError Cancelled(string reason) => new(
        StatusCode.Cancelled, "OPERATION_CANCELLED", $"cancelled: {reason}", "look at the instance's and the member's state before going on");

    [LoggerMessage(100, LogLevel.Information, "{Kind} started: operation {Operation}, deployment {Deployment}, {Subject}")]
    private partial void LogStarted(OperationKind kind, OperationId operation, DeploymentId? deployment, OperationSubject subject);

    [LoggerMessage(101, LogLevel.Information, "{Kind} ended: operation {Operation}, deployment {Deployment}, {Subject}: {State} {Reason} after {Seconds:0.000} s")]
    private partial void LogEnded(
        OperationKind kind, OperationId operation, DeploymentId? deployment, OperationSubject subject, OperationState state, string reason, double seconds);

    [LoggerMessage(102, LogLevel.Error, "{Kind} failed unexpectedly: operation {Operation}, deployment {Deployment}, {Subject}")]
    private partial void LogBug(Exception exception, OperationKind kind, OperationId operation, DeploymentId? deployment, OperationSubject subject);

    [LoggerMessage(103, LogLevel.Error, "The end of operation {Operation}, deployment {Deployment}, {Subject}, could not be journaled; it is kept in memory until that works. After a restart before that it will be shown as interrupted")]
    private partial void LogJournalFailed(Exception exception, OperationId operation, DeploymentId? deployment, OperationSubject subject);
}

/// <summary>An operation that runs.</summary>
/// <param name="Record">As journaled when it began.</param>
/// <param name="Token">Of the lease that it was begun under; null: of none.</param>
/// <param name="Work">Completes when it has ended.</param>
internal sealed record RunningWork(OperationRecord Record, FencingToken? Token, Task Work);
