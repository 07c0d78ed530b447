using Decant.Controller.State;
using Decant.Names;
using LiteDB;

namespace Decant.Controller.Execution;

/// <summary>What this machine's controllers have done and are doing: every step is in it before it starts and after it ends.</summary>
internal sealed class DeploymentJournal(JournalDatabase database)
{
    private const int DeploymentsKept = 500;

    // An index stays in the file. It is asked for once: asking costs as much as a write. (Whoever removes the file meanwhile has a slower journal.)
    private readonly HashSet<string> indexed = [];
    private int begun;

    /// <summary>Writes a deployment down before anything of it is done.</summary>
    public void Begin(DeploymentRecord record) => database.Use(db =>
    {
        var deployments = Deployments(db);
        deployments.Insert(JournalDocument.From(record));
        foreach (var old in deployments.Query().OrderByDescending("_id").Offset(DeploymentsKept).ToList())
        {
            Steps(db).DeleteMany(Query.EQ(JournalDocument.Deployment, old["_id"]));
            deployments.Delete(old["_id"]);
        }

        return true;
    });

    /// <summary>Replaces what is known of a deployment: a new attempt, the beginning of a rollback, its end.</summary>
    public void Update(DeploymentId id, Func<DeploymentRecord, DeploymentRecord> change) => database.Use(db =>
    {
        var record = JournalDocument.ToDeployment(Deployments(db).FindById(id.Value));
        return Deployments(db).Update(JournalDocument.From(change(record)));
    });

    /// <summary>Writes a step down, before it starts or after it ended.</summary>
    /// <returns>Its place among those of its attempt.</returns>
    public int Put(StepRecord step) => database.Use(db =>
    {
        var steps = Steps(db);
        var document = JournalDocument.From(step);
        // The clock may be set back while a deployment runs: it does not tell which step came first.
        var order = steps.FindById(document["_id"])?[JournalDocument.Order] ?? new BsonValue(++begun);
        document[JournalDocument.Order] = order;
        steps.Upsert(document);
        return order.IsNull ? 0 : order.AsInt32;
    });

    /// <summary>Takes over what agents know of a deployment that this machine knows less of, or nothing.</summary>
    /// <param name="record">The newest that they have.</param>
    /// <param name="steps">Its steps with their places. Of an attempt that ran here the journal knows more than they do.</param>
    /// <returns>False: the record is known here, and as new.</returns>
    public bool TakeOver(DeploymentRecord record, IReadOnlyList<(StepRecord Step, int Order)> steps) => database.Use(db =>
    {
        var known = Deployments(db).FindById(record.Id.Value) is { } document ? JournalDocument.ToDeployment(document) : null;
        if (known is not null && known.Age.CompareTo(record.Age) > 0) return false;
        var own = Steps(db).Find(Query.EQ(JournalDocument.Deployment, record.Id.Value)).Where(d => !JournalDocument.IsTaken(d)).Select(JournalDocument.AttemptOf).ToHashSet();
        // The steps first: a record that is there stands for all of them.
        foreach (var (step, order) in steps.Where(s => !own.Contains(s.Step.Attempt)))
        {
            var taken = JournalDocument.From(step);
            taken[JournalDocument.Order] = order;
            Steps(db).Upsert(JournalDocument.AsTaken(taken));
        }

        if (known?.Age == record.Age) return false;
        Deployments(db).Upsert(JournalDocument.From(record));
        return true;
    });

    /// <summary>One deployment; null when the journal does not know it.</summary>
    public DeploymentRecord? Find(DeploymentId id)
        => database.Use(db => Deployments(db).FindById(id.Value) is { } document ? Seen(JournalDocument.ToDeployment(document)) : null);

    /// <summary>Deployments, newest first.</summary>
    /// <param name="app">Of this app only; null: of all.</param>
    /// <param name="limit">At most this many.</param>
    public IReadOnlyList<DeploymentRecord> List(AppName? app, int limit) => database.Use(db =>
    {
        var query = Deployments(db).Query();
        if (app is not null) query = query.Where(Query.EQ(JournalDocument.App, app.Value));
        return query.OrderByDescending("_id").Limit(limit).ToEnumerable().Select(d => Seen(JournalDocument.ToDeployment(d))).ToList();
    });

    /// <summary>The steps of a deployment in the order in which they began.</summary>
    public IReadOnlyList<StepRecord> StepsOf(DeploymentId id) => database.Use(db =>
        Steps(db).Find(Query.EQ(JournalDocument.Deployment, id.Value)).OrderBy(JournalDocument.OrderOf).Select(JournalDocument.ToStep).ToList());

    /// <summary>Remembers that a release made a deployment fail.</summary>
    public void Remember(FailedRelease failed) => database.Use(db => Failed(db).Upsert(JournalDocument.From(failed)));

    /// <summary>Forgets a failure: the release was deployed after all.</summary>
    public void Forget(AppName app, ReleaseId release) => database.Use(db => Failed(db).Delete(JournalDocument.FailedId(app, release)));

    /// <summary>How a release failed; null when it did not.</summary>
    public FailedRelease? FailureOf(AppName app, ReleaseId release)
        => database.Use(db => Failed(db).FindById(JournalDocument.FailedId(app, release)) is { } document ? JournalDocument.ToFailed(document) : null);

    /// <summary>Releases of an app that failed, newest failure first.</summary>
    public IReadOnlyList<FailedRelease> FailuresOf(AppName app) => database.Use(db =>
        Failed(db).Find(Query.EQ(JournalDocument.App, app.Value)).Select(JournalDocument.ToFailed).OrderByDescending(f => f.At).ToList());

    private ILiteCollection<BsonDocument> Deployments(LiteDatabase database) => Collection(database, "deployments", JournalDocument.App);

    private ILiteCollection<BsonDocument> Steps(LiteDatabase database) => Collection(database, "steps", JournalDocument.Deployment);

    private ILiteCollection<BsonDocument> Failed(LiteDatabase database) => Collection(database, "failed_releases", JournalDocument.App);

    private ILiteCollection<BsonDocument> Collection(LiteDatabase database, string name, string index)
    {
        var collection = database.GetCollection(name);
        if (indexed.Add(name)) collection.EnsureIndex(index);
        return collection;
    }

    private static DeploymentRecord Seen(DeploymentRecord record)
        => record.Status == DeploymentStatus.Running && !record.Holder.IsAlive ? record with { Status = DeploymentStatus.Interrupted } : record;
}
