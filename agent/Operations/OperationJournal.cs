using Decant.Agent.State;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;
using LiteDB;

namespace Decant.Agent.Operations;

/// <summary>What this agent is doing and has done, on disk: written before an operation starts and after it ends.</summary>
internal sealed class OperationJournal
{
    private readonly ILiteCollection<BsonDocument> operations;
    private readonly int keep;
    private int untilPruned;

    /// <summary>Opens the journal.</summary>
    /// <param name="database">The agent's database.</param>
    /// <param name="keep">How many ended operations stay, at least 1.</param>
    public OperationJournal(AgentDatabase database, int keep)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        this.keep = keep;
        operations = database.Collection("operations");
        operations.EnsureIndex(OperationDocument.StartedAt);
        operations.EnsureIndex(OperationDocument.State);
    }

    /// <summary>Writes an operation down before anything of it is done.</summary>
    public void Begin(OperationRecord record)
    {
        operations.Insert(OperationDocument.From(record, []));
        if (--untilPruned > 0) return;
        Prune();
        untilPruned = Math.Max(1, keep / 10);
    }

    /// <summary>Writes down how it ended, with the events that a repeated call is told.</summary>
    public void End(OperationRecord record, IReadOnlyList<OperationEvent> events)
        => operations.Upsert(OperationDocument.From(record, events));

    /// <summary>One operation with its events; null when the journal does not know it.</summary>
    public (OperationRecord Record, IReadOnlyList<OperationEvent> Events)? Find(OperationId id)
        => operations.FindById(id.Value) is { } document ? (OperationDocument.ToRecord(document), OperationDocument.ToEvents(document)) : null;

    /// <summary>Operations, newest first.</summary>
    public IReadOnlyList<OperationRecord> List(AppName? app, DeploymentId? deployment, int limit)
        => [.. operations.Query()
            .OrderByDescending(OperationDocument.StartedAt)
            .ToEnumerable()
            .Where(d => (app is null || d[OperationDocument.App] == app.Value)
                && (deployment is null || d[OperationDocument.Deployment] == deployment.Value))
            .Take(limit)
            .Select(OperationDocument.ToRecord)];

    /// <summary>Finds what ran when the agent died and marks it interrupted. Called once, on start.</summary>
    /// <returns>Those operations, as marked.</returns>
    public IReadOnlyList<OperationRecord> MarkInterrupted(DateTimeOffset now)
    {
        var found = operations.Find(Query.EQ(OperationDocument.State, nameof(OperationState.Running)))
            .Select(OperationDocument.ToRecord)
            .Select(r => r with { State = OperationState.Interrupted, EndedAt = now, Error = Interrupted("the agent died while it ran") })
            .ToList();
        foreach (var record in found) End(record, [new OperationFinished(1, now, record)]);
        return found;
    }

    /// <summary>Operations that were marked interrupted, oldest first.</summary>
    /// <param name="start">Of this agent; compared in whole milliseconds, which is what LiteDB keeps.</param>
    public IReadOnlyList<OperationRecord> InterruptedSince(DateTimeOffset start)
        => [.. operations.Find(Query.EQ(OperationDocument.State, nameof(OperationState.Interrupted)))
            .Select(OperationDocument.ToRecord)
            .Where(r => r.EndedAt?.ToUnixTimeMilliseconds() >= start.ToUnixTimeMilliseconds())
            .OrderBy(r => r.StartedAt)];

    /// <summary>What an operation that did not end by itself tells.</summary>
    internal static OperatorError Interrupted(string why) => new(
        StatusCode.Aborted,
        "OPERATION_INTERRUPTED",
        $"interrupted: {why}; how far it got is not known",
        "look at the state of the host, then repeat the work under a new operation id");

    private void Prune()
    {
        var surplus = operations.Count() - keep;
        if (surplus <= 0) return;
        var old = operations.Query().OrderBy(OperationDocument.StartedAt).Limit(surplus).ToEnumerable()
            .Where(d => d[OperationDocument.State] != nameof(OperationState.Running))
            .Select(d => d["_id"])
            .ToList();
        foreach (var id in old) operations.Delete(id);
    }
}
