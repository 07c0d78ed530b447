using Decant.Agent.State;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;
using LiteDB;

namespace Decant.Agent.Operations;

/// <summary>
/// What this agent is doing and has done, on disk: written before an operation starts and after it ends. An end that cannot be written (a
/// full disk) is kept, read as if it had been, and written as soon as that works.
/// </summary>
internal sealed class OperationJournal
{
    private readonly AgentDatabase database;
    private readonly StoredCollection operations;
    private readonly StoredCollection beats;
    private readonly int keep;
    private readonly Lock gate = new();
    private readonly Dictionary<string, BsonDocument> unwritten = [];
    private readonly Dictionary<string, long> running = [];
    private IReadOnlyList<OperationRecord> foundInterrupted = [];
    private long lastOrder;
    private int untilPruned;

    /// <summary>Opens the journal.</summary>
    /// <param name="database">The agent's database.</param>
    /// <param name="keep">How many ended operations stay, at least 1.</param>
    public OperationJournal(AgentDatabase database, int keep)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        this.keep = keep;
        this.database = database;
        operations = database.Collection("operations");
        beats = database.Collection("beats");
        operations.EnsureIndex(OperationDocument.StartedAt);
        operations.EnsureIndex(OperationDocument.Order);
        operations.EnsureIndex(OperationDocument.State);
        operations.EnsureIndex(OperationDocument.AppStarted);
        operations.EnsureIndex(OperationDocument.DeploymentStarted);
        lastOrder = operations.FindFirst(OperationDocument.Order, null, descending: true, _ => true, 1) is [var last] ? OrderOf(last) : 0;
    }

    /// <summary>How many ends are kept in memory because they could not be written.</summary>
    public int Unwritten
    {
        get
        {
            lock (gate) return unwritten.Count;
        }
    }

    /// <summary>Writes an operation down before anything of it is done.</summary>
    /// <exception cref="OperatorException">DISK_FULL, JOURNAL_UNWRITABLE or STATE_READ_ONLY: it must not be done.</exception>
    public void Begin(OperationRecord record)
    {
        lock (gate)
        {
            database.ThrowIfReadOnly();
            try
            {
                WriteRest();
                if (--untilPruned <= 0) Prune();
                operations.Upsert(Document(record, []));
            }
            catch (IOException exception)
            {
                running.Remove(record.Id.Value);
                throw new OperatorException(Unwritable(exception), exception);
            }

            // Found by this very write, which then went to memory only.
            database.ThrowIfReadOnly();
        }
    }

    /// <summary>Writes down how it ended, with the events that a repeated call is told.</summary>
    /// <returns>Why it could not be written yet; null when it was.</returns>
    public IOException? End(OperationRecord record, IReadOnlyList<OperationEvent> events)
    {
        lock (gate)
        {
            unwritten[record.Id.Value] = Document(record, events);
            running.Remove(record.Id.Value);
        }

        return TryWriteRest();
    }

    /// <summary>Writes the ends that could not be written before.</summary>
    /// <returns>Why they still cannot be; null when none is left.</returns>
    public IOException? TryWriteRest()
    {
        lock (gate)
        {
            try
            {
                WriteRest();
                return null;
            }
            catch (IOException exception)
            {
                return exception;
            }
        }
    }

    /// <summary>Writes the ends that could not be written before, and when it was alive: shows that the journal can be written.</summary>
    /// <returns>Why it cannot be; null when it can.</returns>
    public IOException? TryWriteBeat(DateTimeOffset now)
    {
        if (TryWriteRest() is { } problem) return problem;
        try
        {
            beats.Upsert(new BsonDocument { ["_id"] = "alive", ["at"] = now.UtcTicks });
            return null;
        }
        catch (IOException exception)
        {
            return exception;
        }
    }

    /// <summary>One operation with its events; null when the journal does not know it.</summary>
    public (OperationRecord Record, IReadOnlyList<OperationEvent> Events)? Find(OperationId id)
    {
        lock (gate)
        {
            var document = unwritten.GetValueOrDefault(id.Value) ?? operations.FindById(id.Value);
            return document is null ? null : (OperationDocument.ToRecord(document), OperationDocument.ToEvents(document));
        }
    }

    /// <summary>Operations, newest first.</summary>
    public IReadOnlyList<OperationRecord> List(AppName? app, DeploymentId? deployment, int limit)
    {
        bool IsOfApp(BsonDocument document) => app is null || document[OperationDocument.App] == app.Value;
        var found = (app, deployment) switch
        {
            (_, not null) => operations.FindFirst(
                OperationDocument.DeploymentStarted, OperationDocument.StartedOf(deployment.Value), descending: true, IsOfApp, limit),
            (not null, _) => operations.FindFirst(
                OperationDocument.AppStarted, OperationDocument.StartedOf(app.Value), descending: true, _ => true, limit),
            _ => operations.FindFirst(OperationDocument.StartedAt, null, descending: true, _ => true, limit),
        };
        lock (gate) return [.. found.Select(d => OperationDocument.ToRecord(unwritten.GetValueOrDefault(d["_id"].AsString, d)))];
    }

    /// <summary>Ends what ran when the agent died. Called once, on start.</summary>
    /// <param name="end">How each ends.</param>
    /// <returns>Those operations, as ended.</returns>
    public IReadOnlyList<OperationRecord> EndLeftRunning(Func<OperationRecord, OperationRecord> end)
    {
        var left = operations.FindEqual(OperationDocument.State, nameof(OperationState.Running));
        lock (gate)
        {
            foreach (var document in left) running[document["_id"].AsString] = OrderOf(document);
        }

        var ended = left.Select(OperationDocument.ToRecord).Select(end).ToList();
        foreach (var record in ended) End(record, [new OperationFinished(1, record.EndedAt!.Value, record)]);
        foundInterrupted = [.. ended.Where(r => r.State == OperationState.Interrupted).OrderBy(r => r.StartedAt)];
        return ended;
    }

    /// <summary>Operations that were found running, and not done, when this agent started; oldest first.</summary>
    public IReadOnlyList<OperationRecord> FoundInterrupted => foundInterrupted;

    /// <summary>What an operation that did not end by itself tells.</summary>
    internal static OperatorError Interrupted(string why) => new(
        StatusCode.Aborted,
        "OPERATION_INTERRUPTED",
        $"interrupted: {why}; how far it got is not known",
        "look at the state of the host, then repeat the work under a new operation id");

    private void WriteRest()
    {
        foreach (var (id, document) in unwritten.ToList())
        {
            operations.Upsert(document);
            unwritten.Remove(id);
        }
    }

    private static OperatorError Unwritable(IOException exception) => exception.IsDiskFull()
        ? UnexpectedError.Of(exception) with { Message = "no space left for the agent's journal: the operation was not begun" }
        : new OperatorError(
            StatusCode.Internal,
            "JOURNAL_UNWRITABLE",
            $"the agent cannot write its journal, so the operation was not begun: {exception.Message}",
            "mend the disk that holds data_dir; releases go on serving meanwhile");

    /// <summary>The caller holds <see cref="gate"/>. An operation keeps its place when it ends.</summary>
    private BsonDocument Document(OperationRecord record, IReadOnlyList<OperationEvent> events)
    {
        if (!running.TryGetValue(record.Id.Value, out var order)) running[record.Id.Value] = order = ++lastOrder;
        var document = OperationDocument.From(record, events);
        document[OperationDocument.Order] = order;
        return document;
    }

    // One of an earlier version has none, and is older than all that do.
    private static long OrderOf(BsonDocument document) => document[OperationDocument.Order].IsNull ? 0 : document[OperationDocument.Order].AsInt64;

    private void Prune()
    {
        untilPruned = Math.Max(1, keep / 10);
        var surplus = operations.Count() - keep;
        if (surplus <= 0) return;
        var old = operations.FindFirst(
            OperationDocument.Order, null, descending: false, d => d[OperationDocument.State] != nameof(OperationState.Running), surplus);
        operations.Delete([.. old.Select(d => d["_id"].AsString)]);
    }
}
