using System.Globalization;
using Decant.Agent.Leases;
using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;
using LiteDB;

namespace Decant.Agent.Deployments;

/// <summary>
/// Records of deployments on this host's disk, a bounded number of them: the one place that knows how they look in LiteDB. Who writes must hold
/// the app's lease, and must not be behind what is there.
/// </summary>
internal sealed class DeploymentStore
{
    /// <summary>How many are kept of an app.</summary>
    public const int MostOfApp = 20;

    /// <summary>How many are kept of all apps.</summary>
    public const int Most = 200;

    private const string App = "app";
    private const string Order = "order";

    private readonly AgentDatabase database;
    private readonly LeaseBook leases;
    private readonly StoredCollection deployments;
    private readonly Lock gate = new();
    private long lastOrder;

    /// <summary>Opens the store.</summary>
    public DeploymentStore(AgentDatabase database, LeaseBook leases)
    {
        (this.database, this.leases) = (database, leases);
        deployments = database.Collection("deployments");
        deployments.EnsureIndex(App);
        deployments.EnsureIndex(Order);
        lastOrder = deployments.FindFirst(Order, null, descending: true, _ => true, 1) is [var last] ? last[Order].AsInt64 : 0;
    }

    /// <summary>Keeps a record; it is on the disk when this returns.</summary>
    /// <exception cref="OperatorException">LEASE_LOST, RECORD_SUPERSEDED, STATE_READ_ONLY, DISK_FULL or JOURNAL_UNWRITABLE: what was kept stays.</exception>
    public void Put(KeptDeployment deployment)
    {
        lock (gate)
        {
            database.ThrowIfReadOnly();
            leases.Check(deployment.App, deployment.Token, LeaseRule.Respects);
            try
            {
                var known = deployments.FindById(deployment.Id.Value);
                if (known is not null && To(known) is var kept && kept.IsNewerThan(deployment)) throw new OperatorException(Superseded(kept));
                deployments.Upsert(From(deployment, known is null ? ++lastOrder : known[Order].AsInt64));
                if (known is null) Prune(deployment.App);
            }
            catch (IOException exception)
            {
                throw new OperatorException(UnexpectedError.Unwritable(exception, "records of deployments"), exception);
            }

            // Found by this very write, which then went to memory only.
            database.ThrowIfReadOnly();
        }
    }

    /// <summary>Records, the one that was first put last first.</summary>
    /// <param name="app">Only of this app; null: of all.</param>
    /// <param name="id">Only this one; null: all.</param>
    public IReadOnlyList<KeptDeployment> List(AppName? app, DeploymentId? id)
    {
        var found = id is not null
            ? deployments.FindById(id.Value) is { } one ? [one] : []
            : app is not null ? deployments.FindEqual(App, app.Value) : deployments.FindAll();
        return [.. found.Where(d => app is null || d[App] == app.Value).OrderByDescending(d => d[Order].AsInt64).Select(To)];
    }

    private void Prune(AppName app)
    {
        var surplus = deployments.FindEqual(App, app.Value).OrderByDescending(d => d[Order].AsInt64).Skip(MostOfApp).Select(d => d["_id"].AsString).ToList();
        if (surplus.Count > 0) deployments.Delete(surplus);
        var over = deployments.Count() - Most;
        if (over > 0) deployments.Delete([.. deployments.FindFirst(Order, null, descending: false, _ => true, over).Select(d => d["_id"].AsString)]);
    }

    private static BsonDocument From(KeptDeployment deployment, long order) => new()
    {
        ["_id"] = deployment.Id.Value,
        [App] = deployment.App.Value,
        [Order] = order,
        ["attempt"] = (long)deployment.Attempt,
        ["revision"] = (long)deployment.Revision,
        ["token"] = deployment.Token.Value,
        ["put"] = deployment.PutAt.UtcTicks,
        ["content"] = deployment.Content.ToArray(),
    };

    private static KeptDeployment To(BsonDocument document) => new(
        DeploymentId.Parse(document["_id"]),
        AppName.Parse(document[App]),
        (uint)document["attempt"].AsInt64,
        (uint)document["revision"].AsInt64,
        FencingToken.Parse(document["token"].AsInt64),
        new DateTimeOffset(document["put"].AsInt64, TimeSpan.Zero),
        document["content"].AsBinary);

    private static OperatorError Superseded(KeptDeployment kept) => new OperatorError(
        StatusCode.FailedPrecondition,
        "RECORD_SUPERSEDED",
        string.Create(
            CultureInfo.InvariantCulture,
            $"deployment {kept.Id} has gone on elsewhere: attempt {kept.Attempt}, revision {kept.Revision} of its record was put at {kept.PutAt:yyyy-MM-dd HH:mm:ss} UTC"),
        $"change nothing more; `decant show {kept.Id}` tells where it stands").With("app", kept.App.Value);
}
