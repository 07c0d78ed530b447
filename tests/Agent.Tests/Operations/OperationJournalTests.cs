using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.Names;

namespace Decant.Agent.Tests.Operations;

internal sealed class OperationJournalTests
{
    private const int Many = 10_000;
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Test]
    [CancelAfter(120_000)]
    public void A_journal_of_ten_thousand_operations_answers_without_reading_them_all(CancellationToken cancellation)
    {
        using var directory = new TemporaryDirectory();
        using var database = AgentDatabase.Open(directory["agent.db"]);
        var journal = new OperationJournal(database, Many);
        var text = new string('x', 200);
        database.Use(d => d.GetCollection("operations").InsertBulk(Enumerable.Range(0, Many).Select(i => OperationDocument.From(
            Record(i, i % 100 == 0 ? "rare" : "shop", $"d{i / 10}"),
            [.. Enumerable.Range(0, 20).Select(n => new MessageReported(n + 2, Start, text))]))));
        var whole = new FileInfo(directory["agent.db"]).Length + new FileInfo(directory["agent-log.db"]).Length;
        Assert.That(whole, Is.GreaterThan(50L << 20), "reading all of it would be seen");

        var before = GC.GetTotalAllocatedBytes(precise: true);
        var rare = journal.List(AppName.Parse("rare"), null, 10);
        var deployment = journal.List(null, DeploymentId.Parse("d7"), 100);
        var both = journal.List(AppName.Parse("rare"), DeploymentId.Parse("d10"), 100);
        var unknown = journal.List(AppName.Parse("nobody"), null, 100);
        var newest = journal.List(null, null, 10);
        var found = journal.Find(OperationId.Parse("op-5000"));
        var allocated = GC.GetTotalAllocatedBytes(precise: true) - before;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(rare.Select(r => r.Id.Value), Is.EqualTo(Enumerable.Range(0, 10).Select(n => $"op-{9900 - (n * 100)}")));
            Assert.That(deployment.Select(r => r.Id.Value), Is.EqualTo(Enumerable.Range(0, 10).Select(n => $"op-{79 - n}")));
            Assert.That(both.Select(r => r.Id.Value), Is.EqualTo(new[] { "op-100" }));
            Assert.That(unknown, Is.Empty);
            Assert.That(newest[0].Id.Value, Is.EqualTo("op-9999"));
            Assert.That(found, Is.Not.Null);
            Assert.That(allocated, Is.LessThan(whole / 4), "bytes allocated by six reads");
        }

        cancellation.ThrowIfCancellationRequested();
    }

    [Test]
    public void The_oldest_ended_operations_make_room_for_new_ones_and_running_ones_stay()
    {
        using var directory = new TemporaryDirectory();
        using var database = AgentDatabase.Open(directory["agent.db"]);
        var journal = new OperationJournal(database, keep: 20);
        journal.Begin(Record(0, "shop", "d") with { State = OperationState.Running });

        for (var i = 1; i < 60; i++)
        {
            journal.Begin(Record(i, "shop", "d") with { State = OperationState.Running });
            Assert.That(journal.End(Record(i, "shop", "d"), []), Is.Null);
        }

        var kept = journal.List(null, null, 1000);
        Assert.That(kept, Has.Count.InRange(20, 23));
        Assert.That(kept[0].Id.Value, Is.EqualTo("op-59"));
        Assert.That(kept[^1].Id.Value, Is.EqualTo("op-0"), "it still runs");
    }

    private static OperationRecord Record(int number, string app, string deployment) => new(
        OperationId.Parse($"op-{number}"),
        DeploymentId.Parse(deployment),
        OperationKind.Evaluate,
        new OperationSubject(AppName.Parse(app)),
        "fingerprint",
        Start.AddSeconds(number),
        OperationState.Succeeded,
        Start.AddSeconds(number + 1),
        Result: new Evaluated(0));
}
