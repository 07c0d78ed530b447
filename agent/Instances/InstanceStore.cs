using Decant.Agent.Elixir;
using Decant.Agent.Health;
using Decant.Agent.State;
using Decant.Names;
using LiteDB;

namespace Decant.Agent.Instances;

/// <summary>Slots and known-good releases on disk: the one place that knows how they look in LiteDB.</summary>
internal sealed class InstanceStore
{
    private readonly StoredCollection instances;
    private readonly StoredCollection good;

    /// <summary>Opens the store.</summary>
    public InstanceStore(AgentDatabase database)
    {
        instances = database.Collection("instances");
        good = database.Collection("known_good");
    }

    /// <summary>Writes a slot.</summary>
    public void Save(InstanceRecord record) => instances.Upsert(From(record));

    /// <summary>Every slot that was ever used.</summary>
    public IReadOnlyList<InstanceRecord> All() => [.. instances.FindAll().Select(To)];

    /// <summary>Remembers that a release was healthy here for as long as was asked for.</summary>
    public void MarkKnownGood(AppName app, ReleaseId release, DateTimeOffset at) => good.Upsert(new BsonDocument
    {
        ["_id"] = $"{app}/{release.Digest}",
        ["app"] = app.Value,
        ["release"] = From(release),
        ["at"] = at.UtcTicks,
    });

    /// <summary>The hosts go back from a release: no rollback is to go to it.</summary>
    public void ForgetKnownGood(AppName app, ReleaseId release) => good.Delete([$"{app}/{release.Digest}"]);

    /// <summary>Known-good releases of an app, the latest first.</summary>
    public IReadOnlyList<ReleaseId> KnownGood(AppName app)
        => [.. good.FindAll().Where(d => d["app"] == app.Value).OrderByDescending(d => d["at"].AsInt64).Select(d => ToRelease(d["release"]))];

    private static BsonDocument From(InstanceRecord record) => new()
    {
        ["_id"] = record.Key.ToString(),
        ["app"] = record.Key.App.Value,
        ["slot"] = record.Key.Slot.Value,
        ["wanted"] = record.Wanted,
        ["release"] = From(record.Release),
        ["port"] = record.Spec.Port,
        ["node"] = record.Spec.Node.ToString(),
        ["distribution"] = record.Spec.Distribution,
        ["env"] = new BsonArray(record.Spec.Environment.Select(v => new BsonDocument { ["name"] = v.Key, ["value"] = v.Value })),
        ["health"] = record.Health is { } health ? From(health) : BsonValue.Null,
        ["deployment"] = record.Deployment?.Value,
        ["restarts"] = record.Restarts,
        ["exit"] = record.LastExit is { } exit ? From(exit) : BsonValue.Null,
        ["retirement"] = record.Retirement is { } retirement
            ? new BsonDocument { ["at"] = retirement.At.UtcTicks, ["keep"] = retirement.Keep.Ticks, ["script"] = retirement.Deadlines.Script.Ticks, ["term"] = retirement.Deadlines.Term.Ticks }
            : BsonValue.Null,
        ["by_hand"] = record.StoppedByHand,
    };

    private static InstanceRecord To(BsonDocument document) => new(
        new InstanceKey(AppName.Parse(document["app"]), SlotName.Parse(document["slot"])),
        document["wanted"],
        ToRelease(document["release"]),
        new SlotSpec(
            document["port"],
            NodeName.Parse(document["node"]),
            document["distribution"],
            document["env"].AsArray.ToDictionary(v => v["name"].AsString, v => v["value"].AsString)),
        document["health"].IsNull ? null : ToHealth(document["health"]),
        document["deployment"].IsNull ? null : DeploymentId.Parse(document["deployment"]),
        document["restarts"],
        document["exit"].IsNull ? null : ToExit(document["exit"]),
        document["retirement"].IsNull ? null : ToRetirement(document["retirement"]),
        !document["by_hand"].IsNull && document["by_hand"].AsBoolean);

    private static Retirement ToRetirement(BsonValue value) => new(
        new DateTimeOffset(value["at"].AsInt64, TimeSpan.Zero),
        value["keep"].IsNull ? TimeSpan.MaxValue : new TimeSpan(value["keep"].AsInt64),
        new StopDeadlines(new TimeSpan(value["script"].AsInt64), new TimeSpan(value["term"].AsInt64)));

    private static BsonDocument From(ReleaseId release) => new() { ["version"] = release.Version.Value, ["digest"] = release.Digest.Value };

    private static ReleaseId ToRelease(BsonValue value) => new(ReleaseVersion.Parse(value["version"]), Sha256Digest.Parse(value["digest"]));

    private static BsonDocument From(HealthCheck check)
    {
        BsonDocument document = check.Probe switch
        {
            HealthProbe.Http http => new()
            {
                ["probe"] = "http",
                ["path"] = http.Path,
                ["status"] = http.Status is { } status ? new BsonValue(status) : BsonValue.Null,
                ["body"] = http.BodyContains,
                ["host"] = http.Host,
            },
            HealthProbe.Tcp => new() { ["probe"] = "tcp" },
            HealthProbe.Rpc rpc => new() { ["probe"] = "rpc", ["expression"] = rpc.Expression },
            _ => throw new InvalidOperationException($"probe {check.Probe.GetType().Name} has no document"),
        };
        document["interval"] = check.Interval.Ticks;
        document["start_interval"] = check.StartInterval.Ticks;
        document["timeout"] = check.Timeout.Ticks;
        document["rise"] = check.Rise;
        document["fall"] = check.Fall;
        return document;
    }

    private static HealthCheck ToHealth(BsonValue value) => new(
        value["probe"].AsString switch
        {
            "http" => new HealthProbe.Http(
                value["path"], value["status"].IsNull ? null : value["status"].AsInt32, Text(value["body"]), Text(value["host"])),
            "tcp" => new HealthProbe.Tcp(),
            "rpc" => new HealthProbe.Rpc(value["expression"]),
            var other => throw new InvalidOperationException($"the database has a health check of unknown kind \"{other}\": a later version wrote it"),
        },
        new TimeSpan(value["interval"].AsInt64),
        new TimeSpan(value["start_interval"].AsInt64),
        new TimeSpan(value["timeout"].AsInt64),
        value["rise"],
        value["fall"]);

    private static string? Text(BsonValue value) => value.IsNull ? null : value.AsString;

    private static BsonDocument From(ExitReport exit) => new()
    {
        ["code"] = exit.ExitCode is { } code ? new BsonValue(code) : BsonValue.Null,
        ["at"] = exit.At.UtcTicks,
        ["tail"] = new BsonArray(exit.Tail.Select(line => new BsonValue(line))),
        ["dump"] = exit.CrashDump,
    };

    private static ExitReport ToExit(BsonValue value) => new(
        value["code"].IsNull ? null : value["code"].AsInt32,
        new DateTimeOffset(value["at"].AsInt64, TimeSpan.Zero),
        [.. value["tail"].AsArray.Select(line => line.AsString)],
        Text(value["dump"]));
}
