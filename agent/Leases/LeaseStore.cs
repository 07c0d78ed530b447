using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.Errors;
using Decant.Names;
using LiteDB;

namespace Decant.Agent.Leases;

/// <summary>The book of leases on disk: the one place that knows how it looks in LiteDB.</summary>
internal sealed class LeaseStore(AgentDatabase database)
{
    private readonly StoredCollection leases = database.Collection("leases");

    /// <summary>The book that is on this disk.</summary>
    public LeaseBook Open(TimeProvider time) => new(All(), Save, time);

    /// <summary>Every page.</summary>
    public IReadOnlyList<LeasePage> All() => [.. leases.FindAll().Select(To)];

    /// <summary>Writes a page.</summary>
    /// <exception cref="OperatorException">DISK_FULL or JOURNAL_UNWRITABLE.</exception>
    public void Save(LeasePage page)
    {
        try
        {
            leases.Upsert(From(page));
        }
        catch (IOException exception)
        {
            throw new OperatorException(UnexpectedError.Unwritable(exception, "leases"), exception);
        }
    }

    private static BsonDocument From(LeasePage page) => new()
    {
        ["_id"] = page.Lease.App.Value,
        ["token"] = page.Lease.Token.Value,
        ["holder"] = From(page.Lease.Holder),
        ["duration"] = page.Lease.Duration.Ticks,
        ["acquired"] = page.Lease.AcquiredAt.UtcTicks,
        ["step"] = page.Lease.Step,
        ["step_at"] = page.Lease.StepAt.UtcTicks,
        ["over"] = page.IsOver,
        ["newest"] = page.Newest.Value,
        ["unlocked"] = page.Unlocked is { } unlocked ? From(unlocked) : BsonValue.Null,
    };

    private static LeasePage To(BsonDocument document) => new(
        new Lease(
            AppName.Parse(document["_id"]),
            FencingToken.Parse(document["token"].AsInt64),
            ToHolder(document["holder"]),
            new TimeSpan(document["duration"].AsInt64),
            ToTime(document["acquired"]),
            document["step"],
            ToTime(document["step_at"])),
        document["over"],
        FencingToken.Parse(document["newest"].AsInt64),
        document["unlocked"].IsNull ? null : ToUnlocking(document["unlocked"]));

    private static BsonDocument From(Unlocking unlocked) => new()
    {
        ["by"] = unlocked.By,
        ["reason"] = unlocked.Reason,
        ["at"] = unlocked.At.UtcTicks,
        ["holder"] = From(unlocked.Holder),
        ["token"] = unlocked.Token.Value,
    };

    private static Unlocking ToUnlocking(BsonValue value)
        => new(value["by"], value["reason"], ToTime(value["at"]), ToHolder(value["holder"]), FencingToken.Parse(value["token"].AsInt64));

    private static BsonDocument From(LeaseHolder holder) => new()
    {
        ["id"] = holder.Id,
        ["user"] = holder.User,
        ["machine"] = holder.Machine,
        ["purpose"] = holder.Purpose,
        ["pid"] = holder.Pid,
        ["process"] = holder.Process,
        ["deployment"] = holder.Deployment?.Value,
    };

    private static LeaseHolder ToHolder(BsonValue value) => new(
        value["id"],
        value["user"],
        value["machine"],
        value["purpose"],
        value["pid"],
        value["process"],
        value["deployment"].IsNull ? null : DeploymentId.Parse(value["deployment"]));

    private static DateTimeOffset ToTime(BsonValue value) => new(value.AsInt64, TimeSpan.Zero);
}
