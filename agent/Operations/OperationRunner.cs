using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Operations;

/// <summary>
/// Runs operations: journals each before it starts and after it ends, lets a repeated call join or replay the first one, and keeps
/// them going when the caller hangs up.
/// </summary>
internal sealed partial class OperationRunner(OperationJournal journal, TimeProvider time, ILogger<OperationRunner> logger) : IAsyncDisposable
{
    private const int EventsKept = 200;

    private readonly Lock gate = new();
    private readonly Dictionary<OperationId, (RunningOperation Operation, Task Work)> running = [];
    private readonly List<Channel<OperationRecord>> watchers = [];
    private readonly KeyedLock turns = new();
    private bool stopping;

    /// <summary>Begins an operation, or finds the one that has this id already.</summary>
    /// <exception cref="OperatorException">The id was used for another request, or the agent is stopping.</exception>
    public RunningOperation Begin(OperationRequest request, OperationWork work)
    {
        RunningOperation operation;
        lock (gate)
        {
            if (Find(request.Id) is { } known)
            {
                if (known.Record.Fingerprint != request.Fingerprint) throw new OperatorException(IdReused(known.Record));
                return known;
            }

            if (stopping) throw new OperatorException(AgentStops);
            operation = new RunningOperation(
                new OperationRecord(
                    request.Id, request.Deployment, request.Kind, request.Subject, request.Fingerprint, time.GetUtcNow(), OperationState.Running),
                time);
            journal.Begin(operation.Record);
            running[request.Id] = (operation, Task.Run(() => RunAsync(operation, request, work)));
        }

        Announce(operation.Record);
        return operation;
    }

    /// <summary>An operation, running or journaled; null when nobody knows it.</summary>
    public RunningOperation? Find(OperationId id)
    {
        lock (gate)
        {
            if (running.TryGetValue(id, out var active)) return active.Operation;
            return journal.Find(id) is var (record, events) ? new RunningOperation(record, events, time) : null;
        }
    }

    /// <summary>Running operations, oldest first.</summary>
    public IReadOnlyList<OperationRecord> Running()
    {
        lock (gate) return [.. running.Values.Select(r => r.Operation.Record).OrderBy(r => r.StartedAt)];
    }

    /// <summary>Operations that run now, then every one that begins or ends, until cancelled. A follower that is too slow loses the oldest.</summary>
    public async IAsyncEnumerable<OperationRecord> WatchAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var channel = Channel.CreateBounded<OperationRecord>(new BoundedChannelOptions(1000) { FullMode = BoundedChannelFullMode.DropOldest });
        lock (gate)
        {
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
    }

    /// <summary>Stops the agent's work: what runs is cancelled and journaled as interrupted.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] work;
        lock (gate)
        {
            if (stopping) return;
            stopping = true;
            work = [.. running.Values.Select(r => r.Work)];
            foreach (var (operation, _) in running.Values) operation.Cancellation.Cancel();
            foreach (var watcher in watchers) watcher.Writer.TryComplete();
        }

        await Task.WhenAll(work);
    }

    private async Task RunAsync(RunningOperation operation, OperationRequest request, OperationWork work)
    {
        LogStarted(operation.Record.Kind, operation.Id, operation.Deployment, request.Subject);
        OperationRecord ended;
        try
        {
            using var turn = await TurnAsync(operation, request);
            var result = await work(operation, operation.Cancellation.Token);
            ended = operation.Record with { State = OperationState.Succeeded, Result = result };
        }
        catch (OperationCanceledException) when (operation.Cancellation.IsCancellationRequested)
        {
            ended = operation.CancelReason is { } reason
                ? operation.Record with { State = OperationState.Cancelled, Error = Cancelled(reason) }
                : operation.Record with { State = OperationState.Interrupted, Error = OperationJournal.Interrupted("the agent was stopped") };
        }
        catch (OperatorException exception)
        {
            ended = operation.Record with { State = OperationState.Failed, Error = exception.Error };
        }
#pragma warning disable CA1031 // The edge: whatever went wrong ends as a journaled failure, and the log has the trace.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogBug(exception, operation.Record.Kind, operation.Id);
            ended = operation.Record with { State = OperationState.Failed, Error = Unexpected(exception) };
        }

        ended = ended with { EndedAt = time.GetUtcNow() };
        LogEnded(ended.Kind, ended.Id, ended.Deployment, ended.State, ended.Error?.Reason ?? "", (ended.EndedAt - ended.StartedAt)!.Value.TotalSeconds);
        lock (gate)
        {
            try
            {
                journal.End(ended, operation.Newest(EventsKept));
            }
#pragma warning disable CA1031 // The work is done; a journal that cannot be written must not hide that from the caller.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                LogJournalFailed(exception, ended.Id);
            }

            running.Remove(ended.Id);
        }

        operation.Finish(ended);
        Announce(ended);
    }

    private async Task<IDisposable?> TurnAsync(RunningOperation operation, OperationRequest request)
    {
        if (request.Exclusive is not { } key) return null;
        if (turns.IsHeld(key)) operation.Message($"waiting for another operation on {key} to end");
        return await turns.AcquireAsync(key, operation.Cancellation.Token);
    }

    private void Announce(OperationRecord record)
    {
        lock (gate)
        {
            foreach (var watcher in watchers) watcher.Writer.TryWrite(record);
        }
    }

    private static readonly OperatorError AgentStops = new(
        StatusCode.Unavailable, "AGENT_STOPPING", "the agent is stopping and takes no new work", "try again when it is back");

    private static OperatorError IdReused(OperationRecord known) => new(
        StatusCode.AlreadyExists,
        "OPERATION_ID_REUSED",
        $"operation id {known.Id} was used at {known.StartedAt:u} for another request ({known.Kind})",
        "use a new operation id for a new request");

    private static OperatorError Cancelled(string reason) => new(
        StatusCode.Cancelled, "OPERATION_CANCELLED", $"cancelled: {reason}", "look at the instance's and the member's state before going on");

    private static OperatorError Unexpected(Exception exception) => new(
        StatusCode.Internal, "INTERNAL", $"unexpected: {exception.Message}", "the agent's log has the details; please report this as a bug");

    [LoggerMessage(100, LogLevel.Information, "{Kind} started: operation {Operation}, deployment {Deployment}, {Subject}")]
    private partial void LogStarted(OperationKind kind, OperationId operation, DeploymentId? deployment, OperationSubject subject);

    [LoggerMessage(101, LogLevel.Information, "{Kind} ended: operation {Operation}, deployment {Deployment}, {State} {Reason} after {Seconds:0.000} s")]
    private partial void LogEnded(OperationKind kind, OperationId operation, DeploymentId? deployment, OperationState state, string reason, double seconds);

    [LoggerMessage(102, LogLevel.Error, "{Kind} failed unexpectedly: operation {Operation}")]
    private partial void LogBug(Exception exception, OperationKind kind, OperationId operation);

    [LoggerMessage(103, LogLevel.Error, "The end of operation {Operation} could not be journaled; after a restart it will be shown as interrupted")]
    private partial void LogJournalFailed(Exception exception, OperationId operation);
}
