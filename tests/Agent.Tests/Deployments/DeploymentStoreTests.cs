using System.Text;
using Decant.Agent.Deployments;
using Decant.Agent.Leases;
using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Tests.Deployments;

/// <summary>Records of deployments on disk: over restarts, and no more of them than are promised.</summary>
internal sealed class DeploymentStoreTests
{
    private static readonly AppName Shop = AppName.Parse("shop");

    private TemporaryDirectory directory = null!;
    private AgentDatabase database = null!;
    private LeaseBook leases = null!;
    private DeploymentStore store = null!;

    [SetUp]
    public void Open()
    {
        directory = new TemporaryDirectory();
        OpenAgent();
    }

    [TearDown]
    public void Close()
    {
        database.Dispose();
        directory.Dispose();
    }

    [Test]
    public void What_was_put_is_there_after_a_restart_and_so_is_the_guard()
    {
        var token = Acquire(Shop);
        store.Put(Kept(Shop, "d1", token, revision: 3));
        store.Put(Kept(Shop, "d2", token));

        database.Dispose();
        OpenAgent();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(store.List(Shop, null).Select(d => d.Id.Value), Is.EqualTo(new[] { "d2", "d1" }), "the last one first");
            Assert.That(store.List(Shop, DeploymentId.Parse("d1")).Select(d => Encoding.UTF8.GetString(d.Content.Span)), Is.EqualTo(new[] { "d1/1/3" }));
            Assert.That(Refused(() => store.Put(Kept(Shop, "d1", token, revision: 2))), Is.EqualTo("RECORD_SUPERSEDED"));
            Assert.That(Refused(() => store.Put(Kept(Shop, "d1", token.Next, attempt: 2))), Is.EqualTo("LEASE_LOST"));
            Assert.That(() => store.Put(Kept(Shop, "d1", token, revision: 4)), Throws.Nothing);
        }

        store.Put(Kept(Shop, "d3", token));
        Assert.That(store.List(Shop, null).Select(d => d.Id.Value), Is.EqualTo(new[] { "d3", "d2", "d1" }), "one that is put again keeps its place");
    }

    [Test]
    public void Of_an_app_the_last_20_are_kept_and_of_all_apps_200()
    {
        var token = Acquire(Shop);
        for (var i = 0; i < DeploymentStore.MostOfApp + 5; i++) store.Put(Kept(Shop, $"shop-{i}", token));
        var ofShop = store.List(Shop, null);
        for (var i = 0; i < DeploymentStore.Most; i++)
        {
            var app = AppName.Parse($"app{i}");
            store.Put(Kept(app, $"of-app-{i}", Acquire(app)));
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(ofShop.Select(d => d.Id.Value), Is.EqualTo(Enumerable.Range(5, DeploymentStore.MostOfApp).Reverse().Select(i => $"shop-{i}")));
            Assert.That(store.List(null, null), Has.Count.EqualTo(DeploymentStore.Most));
            Assert.That(store.List(Shop, null), Is.Empty, "those were first put longest ago");
        }
    }

    [Test]
    public void An_operation_keeps_what_its_caller_said_of_its_step_over_a_restart_and_an_end()
    {
        var step = new CallersStep(new byte[] { 1, 2, 3 });
        var record = new OperationRecord(
            OperationId.Parse("d1/1/web1/stop"), DeploymentId.Parse("d1"), OperationKind.Stop, new OperationSubject(Shop), "f", DateTimeOffset.UnixEpoch, OperationState.Running, Step: step);
        var journal = new OperationJournal(database, 100);
        journal.Begin(record);
        journal.End(record with { State = OperationState.Succeeded, EndedAt = DateTimeOffset.UnixEpoch, Result = new Done() }, []);

        database.Dispose();
        OpenAgent();
        var read = new OperationJournal(database, 100).List(Shop, DeploymentId.Parse("d1"), 10).Single();

        Assert.That(read.Step!.Content.ToArray(), Is.EqualTo(step.Content.ToArray()));
    }

    private void OpenAgent()
    {
        database = AgentDatabase.Open(directory["agent.db"]);
        leases = new LeaseStore(database).Open(TimeProvider.System);
        store = new DeploymentStore(database, leases);
    }

    private FencingToken Acquire(AppName app)
        => leases.Acquire(app, new LeaseHolder("a", "ann", "ops1", "deploying", 7, "", null), TimeSpan.FromMinutes(10), "").Token;

    private static string Refused(Action act) => Assert.Throws<OperatorException>(act)!.Error.Reason;

    private static KeptDeployment Kept(AppName app, string id, FencingToken token, uint attempt = 1, uint revision = 1) => new(
        DeploymentId.Parse(id), app, attempt, revision, token, DateTimeOffset.UnixEpoch, Encoding.UTF8.GetBytes($"{id}/{attempt}/{revision}"));
}
