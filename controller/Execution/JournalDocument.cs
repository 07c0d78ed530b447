using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;
using LiteDB;

namespace Decant.Controller.Execution;

/// <summary>The journal's documents: the one place that knows how deployments and steps look in LiteDB.</summary>
internal static class JournalDocument
{
    public const string App = "app";
    public const string Deployment = "deployment";
    public const string Order = "order";

    public static BsonDocument From(DeploymentRecord record) => new()
    {
        ["_id"] = record.Id.Value,
        [App] = record.App.Value,
        ["intent"] = record.Intent.ToString(),
        ["release"] = FromRelease(record.Release),
        ["manifest"] = new BsonDocument { ["path"] = record.Manifest.Path, ["text"] = record.Manifest.Text },
        ["archive"] = record.ArchivePath,
        ["plan"] = record.PlanText,
        ["status"] = record.Status.ToString(),
        ["attempt"] = record.Attempt,
        ["rolling_back"] = record.RollingBack,
        ["started"] = record.StartedAt.UtcTicks,
        ["ended"] = FromTime(record.EndedAt),
        ["message"] = record.Message,
        ["next"] = record.WhatNext,
        ["holder"] = new BsonDocument
        {
            ["pid"] = record.Holder.Pid,
            ["ticks"] = record.Holder.StartTicks,
            ["user"] = record.Holder.User,
            ["machine"] = record.Holder.Machine,
            ["space"] = record.Holder.Space,
        },
        ["cutovers"] = new BsonArray(record.Cutovers.Select(c => new BsonDocument
        {
            ["host"] = c.Host.Value,
            ["from"] = FromRelease(c.From),
            ["to"] = FromRelease(c.To),
            ["slot"] = FromSlot(c.Slot),
        })),
        ["only"] = record.Only is { } only ? new BsonArray(only.Select(h => new BsonValue(h.Value))) : BsonValue.Null,
        ["canary"] = record.Canary is { } canary
            ? new BsonDocument { ["hosts"] = new BsonArray(canary.Canaries.Select(h => new BsonValue(h.Value))), ["promoted"] = canary.Promoted }
            : BsonValue.Null,
        ["down"] = FromRelease(record.DownFrom),
        ["revision"] = record.Revision,
    };

    public static DeploymentRecord ToDeployment(BsonDocument document) => new(
        DeploymentId.Parse(document["_id"]),
        AppName.Parse(document[App]),
        Enum.Parse<PlanIntent>(document["intent"]),
        ToRelease(document["release"]),
        new ManifestSource(document["manifest"]["path"], document["manifest"]["text"]),
        document["archive"].IsNull ? null : document["archive"].AsString,
        document["plan"],
        Enum.Parse<DeploymentStatus>(document["status"]),
        document["attempt"],
        document["rolling_back"],
        ToTime(document["started"])!.Value,
        ToTime(document["ended"]),
        document["message"],
        document["next"],
        ToHolder(document["holder"]),
        [.. document["cutovers"].AsArray.Select(c => new PlannedCutover(
            HostName.Parse(c["host"]), ToRelease(c["from"]), ToRelease(c["to"]), ToSlot(c["slot"])))],
        document["only"].IsNull ? null : ToHosts(document["only"]),
        document["canary"].IsNull ? null : new CanaryProgress(ToHosts(document["canary"]["hosts"]), document["canary"]["promoted"]),
        ToRelease(document["down"]),
        document["revision"].IsNull ? 0 : document["revision"].AsInt32);

    public static BsonDocument From(StepRecord step) => new()
    {
        // A migration keeps its operation over all attempts.
        ["_id"] = $"{step.Operation}#{step.Attempt}",
        [Deployment] = step.Deployment.Value,
        ["key"] = step.Key,
        ["host"] = step.Host.Value,
        ["verb"] = step.Verb,
        ["what"] = step.Description,
        ["operation"] = step.Operation.Value,
        ["attempt"] = step.Attempt,
        ["rollback"] = step.IsRollback,
        ["hosts"] = new BsonArray(step.Hosts.Select(h => new BsonValue(h.Value))),
        ["takes"] = FromSeats(step.TakesOut),
        ["puts"] = FromSeats(step.PutsIn),
        ["began"] = step.BeganAt.UtcTicks,
        ["ended"] = FromTime(step.EndedAt),
        ["end"] = step.End is { } end ? FromEnd(end) : BsonValue.Null,
    };

    /// <summary>Sorts the steps of a deployment as they began. The number is counted by each process anew, and an attempt has one process.</summary>
    public static (int Attempt, int Order, long Began) OrderOf(BsonDocument step)
        => (step["attempt"], step[Order].IsNull ? 0 : step[Order].AsInt32, step["began"].AsInt64);

    /// <summary>A step's attempt.</summary>
    public static int AttemptOf(BsonDocument step) => step["attempt"];

    /// <summary>A step that did not run here: it was had from an agent.</summary>
    public static bool IsTaken(BsonDocument step) => !step["taken"].IsNull;

    /// <summary>The same, marked so.</summary>
    public static BsonDocument AsTaken(BsonDocument step)
    {
        step["taken"] = true;
        return step;
    }

    public static StepRecord ToStep(BsonDocument document) => new(
        DeploymentId.Parse(document[Deployment]),
        document["key"],
        HostName.Parse(document["host"]),
        document["verb"],
        document["what"],
        OperationId.Parse(document["operation"]),
        document["attempt"],
        document["rollback"],
        ToHosts(document["hosts"]),
        ToSeats(document["takes"]),
        ToSeats(document["puts"]),
        ToTime(document["began"])!.Value,
        ToTime(document["ended"]),
        document["end"].IsNull ? null : ToEnd(document["end"]));

    public static BsonDocument From(FailedRelease failed) => new()
    {
        ["_id"] = FailedId(failed.App, failed.Release),
        [App] = failed.App.Value,
        ["release"] = FromRelease(failed.Release),
        [Deployment] = failed.Deployment.Value,
        ["error"] = FromError(failed.Error),
        ["at"] = failed.At.UtcTicks,
    };

    public static FailedRelease ToFailed(BsonDocument document) => new(
        AppName.Parse(document[App]),
        ToRelease(document["release"])!,
        DeploymentId.Parse(document[Deployment]),
        ToError(document["error"])!,
        ToTime(document["at"])!.Value);

    public static string FailedId(AppName app, ReleaseId release) => $"{app}/{release.Version}/{release.Digest}";

    private static IReadOnlyList<HostName> ToHosts(BsonValue value) => [.. value.AsArray.Select(h => HostName.Parse(h))];

    private static BsonArray FromSeats(IReadOnlyList<MemberSeat> seats) => new(seats.Select(s => new BsonDocument
    {
        ["balancer"] = s.Balancer.Value,
        ["host"] = s.Host.Value,
        ["slot"] = s.Slot.Value,
    }));

    private static IReadOnlyList<MemberSeat> ToSeats(BsonValue value)
        => [.. value.AsArray.Select(s => new MemberSeat(HostName.Parse(s["balancer"]), HostName.Parse(s["host"]), SlotName.Parse(s["slot"])))];

    // One of an earlier version names no machine: it was this one.
    private static ControllerProcess ToHolder(BsonValue value) => new(
        value["pid"],
        value["ticks"].AsInt64,
        value["user"],
        value["machine"].IsNull ? "" : value["machine"].AsString,
        value["space"].IsNull ? "" : value["space"].AsString);

    private static BsonDocument FromEnd(StepEnd end) => new()
    {
        ["state"] = end.State.ToString(),
        ["detail"] = end.Detail,
        ["unchanged"] = end.Unchanged,
        ["error"] = FromError(end.Error),
        ["tail"] = new BsonArray(end.Tail.Select(line => new BsonValue(line))),
    };

    private static StepEnd ToEnd(BsonValue value) => new(
        Enum.Parse<StepState>(value["state"]),
        value["detail"],
        value["unchanged"],
        ToError(value["error"]),
        [.. value["tail"].AsArray.Select(line => line.AsString)]);

    private static BsonValue FromTime(DateTimeOffset? time) => time is { } at ? new BsonValue(at.UtcTicks) : BsonValue.Null;

    private static DateTimeOffset? ToTime(BsonValue value) => value.IsNull ? null : new DateTimeOffset(value.AsInt64, TimeSpan.Zero);

    private static BsonValue FromRelease(ReleaseId? release)
        => release is null ? BsonValue.Null : new BsonDocument { ["version"] = release.Version.Value, ["digest"] = release.Digest.Value };

    private static ReleaseId? ToRelease(BsonValue value)
        => value.IsNull ? null : new ReleaseId(ReleaseVersion.Parse(value["version"]), Sha256Digest.Parse(value["digest"]));

    private static BsonValue FromSlot(SlotSettings? slot) => slot is null ? BsonValue.Null : new BsonDocument
    {
        ["name"] = slot.Name.Value,
        ["port"] = slot.Port,
        ["node"] = slot.Node,
        ["env"] = new BsonArray(slot.Environment.Select(e => new BsonDocument { ["key"] = e.Key, ["value"] = e.Value })),
        ["distribution"] = slot.Distribution,
    };

    private static SlotSettings? ToSlot(BsonValue value) => value.IsNull ? null : new SlotSettings(
        SlotName.Parse(value["name"]),
        value["port"],
        value["node"],
        value["env"].AsArray.ToDictionary(e => e["key"].AsString, e => e["value"].AsString),
        value["distribution"]);

    private static BsonValue FromError(OperatorError? error) => error is null ? BsonValue.Null : new BsonDocument
    {
        ["code"] = (int)error.Code,
        ["reason"] = error.Reason,
        ["message"] = error.Message,
        ["next"] = error.WhatNext,
        ["facts"] = new BsonArray(error.Facts.Select(f => new BsonDocument { ["name"] = f.Key, ["value"] = f.Value })),
    };

    private static OperatorError? ToError(BsonValue value) => value.IsNull
        ? null
        : new OperatorError((StatusCode)value["code"].AsInt32, value["reason"], value["message"], value["next"])
        {
            Facts = value["facts"].AsArray.ToDictionary(f => f["name"].AsString, f => f["value"].AsString),
        };
}
