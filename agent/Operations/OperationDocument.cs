using Decant.Errors;
using Decant.Names;
using Grpc.Core;
using LiteDB;

namespace Decant.Agent.Operations;

/// <summary>The journal's documents: the one place that knows how an operation looks in LiteDB.</summary>
internal static class OperationDocument
{
    public const string StartedAt = "started";
    public const string State = "state";
    public const string App = "app";
    public const string Deployment = "deployment";

    /// <summary>Grows with every operation that is begun, whatever is done to the clock on the wall: by it the oldest are pruned.</summary>
    public const string Order = "order";

    /// <summary>App and start: an index by which the newest operations of an app are found without reading the others.</summary>
    public const string AppStarted = "app_started";

    /// <summary>The same for deployments.</summary>
    public const string DeploymentStarted = "deployment_started";

    /// <summary>What the values of such an index begin with. A space is in no name.</summary>
    public static string StartedOf(string name) => $"{name} ";

    public static BsonDocument From(OperationRecord record, IReadOnlyList<OperationEvent> events) => new()
    {
        ["_id"] = record.Id.Value,
        [Deployment] = record.Deployment?.Value,
        ["kind"] = record.Kind.ToString(),
        [State] = record.State.ToString(),
        [App] = record.Subject.App?.Value,
        ["slot"] = record.Subject.Slot?.Value,
        ["release"] = FromRelease(record.Subject.Release),
        ["member"] = record.Subject.Member,
        ["fingerprint"] = record.Fingerprint,
        [StartedAt] = record.StartedAt.UtcTicks,
        [AppStarted] = Started(record.Subject.App?.Value, record.StartedAt),
        [DeploymentStarted] = Started(record.Deployment?.Value, record.StartedAt),
        ["ended"] = record.EndedAt is { } ended ? new BsonValue(ended.UtcTicks) : BsonValue.Null,
        ["error"] = record.Error is { } error ? FromError(error) : BsonValue.Null,
        ["result"] = record.Result is { } result ? FromResult(result) : BsonValue.Null,
        ["events"] = new BsonArray(events.Select(FromEvent)),
        ["step"] = record.Step is { } step ? new BsonValue(step.Content.ToArray()) : BsonValue.Null,
    };

    public static OperationRecord ToRecord(BsonDocument document) => new(
        OperationId.Parse(document["_id"]),
        document[Deployment].IsNull ? null : DeploymentId.Parse(document[Deployment]),
        Enum.Parse<OperationKind>(document["kind"]),
        new OperationSubject(
            document[App].IsNull ? null : AppName.Parse(document[App]),
            document["slot"].IsNull ? null : SlotName.Parse(document["slot"]),
            ToRelease(document["release"]),
            document["member"].IsNull ? null : document["member"].AsString),
        document["fingerprint"],
        ToTime(document[StartedAt]),
        Enum.Parse<OperationState>(document[State]),
        document["ended"].IsNull ? null : ToTime(document["ended"]),
        document["error"].IsNull ? null : ToError(document["error"]),
        document["result"].IsNull ? null : ToResult(document["result"]),
        document["step"].IsNull ? null : new CallersStep(document["step"].AsBinary));

    public static IReadOnlyList<OperationEvent> ToEvents(BsonDocument document)
    {
        var record = ToRecord(document);
        var started = record with { State = OperationState.Running, EndedAt = null, Error = null, Result = null };
        var events = new List<OperationEvent> { new OperationStarted(1, record.StartedAt, started) };
        events.AddRange(document["events"].AsArray.Select(e => ToEvent(e)).OfType<OperationEvent>());
        if (record.EndedAt is { } ended) events.Add(new OperationFinished(events[^1].Sequence + 1, ended, record));
        return events;
    }

    private static string? Started(string? name, DateTimeOffset at) => name is null ? null : $"{StartedOf(name)}{at.UtcTicks:D19}";

    private static BsonValue FromRelease(ReleaseId? release)
        => release is null ? BsonValue.Null : new BsonDocument { ["version"] = release.Version.Value, ["digest"] = release.Digest.Value };

    private static ReleaseId? ToRelease(BsonValue value)
        => value.IsNull ? null : new ReleaseId(ReleaseVersion.Parse(value["version"]), Sha256Digest.Parse(value["digest"]));

    private static DateTimeOffset ToTime(BsonValue value) => new(value.AsInt64, TimeSpan.Zero);

    private static TimeSpan ToDuration(BsonValue value) => new(value.AsInt64);

    private static BsonDocument FromError(OperatorError error) => new()
    {
        ["code"] = (int)error.Code,
        ["reason"] = error.Reason,
        ["message"] = error.Message,
        ["next"] = error.WhatNext,
        ["facts"] = new BsonArray(error.Facts.Select(f => new BsonDocument { ["name"] = f.Key, ["value"] = f.Value })),
    };

    private static OperatorError ToError(BsonValue value) => new((StatusCode)value["code"].AsInt32, value["reason"], value["message"], value["next"])
    {
        Facts = value["facts"].AsArray.ToDictionary(f => f["name"].AsString, f => f["value"].AsString),
    };

    private static BsonDocument FromLine(OutputLine line) => new() { ["text"] = line.Text, ["err"] = line.IsError };

    private static OutputLine ToLine(BsonValue value) => new(value["text"], value["err"]);

    private static BsonDocument FromEvent(OperationEvent item)
    {
        BsonDocument document = item switch
        {
            MessageReported message => new() { ["t"] = "message", ["text"] = message.Text },
            OutputReported output => new() { ["t"] = "output", ["line"] = FromLine(output.Line) },
            DrainReported drain => new() { ["t"] = "drain", ["sessions"] = drain.Sessions, ["elapsed"] = drain.Elapsed.Ticks, ["long"] = drain.LongLived },
            HealthReported { Seen: var seen } => new()
            {
                ["t"] = "health",
                ["ok"] = seen.Successes,
                ["failed"] = seen.Failures,
                ["healthy"] = seen.IsHealthy,
                ["why"] = seen.LastFailure,
            },
            OperationStarted or OperationFinished => new() { ["t"] = "record" },
            _ => throw new InvalidOperationException($"event {item.GetType().Name} has no document"),
        };
        document["n"] = item.Sequence;
        document["at"] = item.At.UtcTicks;
        return document;
    }

    private static OperationEvent? ToEvent(BsonValue value)
    {
        var (sequence, at) = (value["n"].AsInt64, ToTime(value["at"]));
        return value["t"].AsString switch
        {
            "message" => new MessageReported(sequence, at, value["text"]),
            "output" => new OutputReported(sequence, at, ToLine(value["line"])),
            "drain" => new DrainReported(sequence, at, value["sessions"], ToDuration(value["elapsed"]), value["long"].IsNull ? 0 : value["long"].AsInt32),
            "health" => new HealthReported(sequence, at, new HealthSeen(value["ok"], value["failed"], value["healthy"], value["why"])),
            _ => null,
        };
    }

    private static BsonDocument FromResult(OperationResult result)
    {
        BsonDocument document = result switch
        {
            Done => new() { ["t"] = "done" },
            Staged staged => new() { ["t"] = "staged", ["release"] = FromRelease(staged.Release), ["bytes"] = staged.UnpackedBytes, ["entries"] = staged.Entries },
            Pruned pruned => new()
            {
                ["t"] = "pruned",
                ["removed"] = new BsonArray(pruned.Removed.Select(FromRelease)),
                ["kept"] = new BsonArray(pruned.Kept.Select(k => new BsonValue(k))),
            },
            Started started => new() { ["t"] = "started", ["pid"] = started.Pid, ["ticks"] = started.StartTicks },
            Stopped stopped => new()
            {
                ["t"] = "stopped",
                ["means"] = stopped.Means.ToString(),
                ["elapsed"] = stopped.Elapsed.Ticks,
                ["exit"] = stopped.ExitCode is { } code ? new BsonValue(code) : BsonValue.Null,
            },
            Migrated migrated => new()
            {
                ["t"] = "migrated",
                ["exit"] = migrated.ExitCode,
                ["elapsed"] = migrated.Elapsed.Ticks,
                ["tail"] = new BsonArray(migrated.Tail.Select(FromLine)),
                ["already"] = migrated.AlreadyDone,
            },
            PreflightPassed preflight => new()
            {
                ["t"] = "preflight",
                ["findings"] = new BsonArray(preflight.Findings.Select(f => new BsonDocument { ["check"] = f.Check, ["passed"] = f.Passed, ["detail"] = f.Detail })),
            },
            Healthy healthy => new()
            {
                ["t"] = "healthy",
                ["after"] = healthy.HealthyAfter.Ticks,
                ["version"] = healthy.Verified.Version,
                ["root"] = healthy.Verified.Root,
                ["node"] = healthy.Verified.Node,
                ["source"] = healthy.Verified.Source,
            },
            Evaluated evaluated => new() { ["t"] = "evaluated", ["exit"] = evaluated.ExitCode },
            Drained drained => new() { ["t"] = "drained", ["elapsed"] = drained.Elapsed.Ticks, ["left"] = drained.SessionsLeft, ["closed"] = drained.LongLivedClosed },
            Undrained undrained => new() { ["t"] = "undrained", ["elapsed"] = undrained.Elapsed.Ticks, ["status"] = undrained.Status },
            Unlocked unlocked => new()
            {
                ["t"] = "unlocked",
                ["by"] = unlocked.By,
                ["reason"] = unlocked.Reason,
                ["former"] = unlocked.FormerHolder,
                ["token"] = unlocked.FormerToken is { } token ? new BsonValue(token.Value) : BsonValue.Null,
            },
            _ => throw new InvalidOperationException($"result {result.GetType().Name} has no document"),
        };
        document["unchanged"] = result.Unchanged;
        return document;
    }

    private static OperationResult ToResult(BsonValue value)
    {
        bool unchanged = value["unchanged"];
        return value["t"].AsString switch
        {
            "done" => new Done(unchanged),
            "staged" => new Staged(ToRelease(value["release"])!, value["bytes"].AsInt64, value["entries"], unchanged),
            "pruned" => new Pruned([.. value["removed"].AsArray.Select(r => ToRelease(r)!)], [.. value["kept"].AsArray.Select(k => k.AsString)]),
            "started" => new Started(value["pid"], value["ticks"].AsInt64, unchanged),
            "stopped" => new Stopped(
                Enum.Parse<StopMeans>(value["means"]), ToDuration(value["elapsed"]), value["exit"].IsNull ? null : value["exit"].AsInt32),
            "migrated" => new Migrated(value["exit"], ToDuration(value["elapsed"]), [.. value["tail"].AsArray.Select(ToLine)], value["already"]),
            "preflight" => new PreflightPassed(
                [.. value["findings"].AsArray.Select(f => new PreflightFinding(f["check"], f["passed"], f["detail"]))]),
            "healthy" => new Healthy(
                ToDuration(value["after"]), new RunningRelease(value["version"], value["root"], value["node"], value["source"])),
            "evaluated" => new Evaluated(value["exit"]),
            "drained" => new Drained(ToDuration(value["elapsed"]), value["left"], unchanged, value["closed"].IsNull ? 0 : value["closed"].AsInt32),
            "undrained" => new Undrained(ToDuration(value["elapsed"]), value["status"], unchanged),
            "unlocked" => new Unlocked(
                value["by"], value["reason"], value["former"], value["token"].IsNull ? null : FencingToken.Parse(value["token"].AsInt64)),
            var other => throw new InvalidOperationException($"the journal has a result of unknown type \"{other}\": it was written by a later version"),
        };
    }
}
