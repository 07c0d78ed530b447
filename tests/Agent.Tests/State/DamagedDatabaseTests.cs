using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.Errors;
using Decant.Names;
using LiteDB;
using Microsoft.Extensions.Time.Testing;

namespace Decant.Agent.Tests.State;

/// <summary>Every damage is found before anything is read from the file, whatever byte it is in.</summary>
internal sealed class DamagedDatabaseTests
{
    private const int Rounds = 200;
    private static readonly string Text = new('x', 9000);
    private static readonly DateTimeOffset Now = new(2026, 11, 26, 22, 54, 3, TimeSpan.Zero);
    private static readonly string[] Files = ["agent.db", "agent-log.db", "agent.sums"];

    private TemporaryDirectory whole = null!;
    private TemporaryDirectory directory = null!;

    [OneTimeSetUp]
    public void Write()
    {
        whole = new TemporaryDirectory();
        using var database = AgentDatabase.Open(whole["agent.db"]);
        var journal = new OperationJournal(database, keep: 1000);
        for (var i = 0; i < 40; i++)
        {
            journal.Begin(Record(i) with { State = OperationState.Running });
            journal.End(Record(i), [.. Enumerable.Range(0, 40).Select(n => new MessageReported(n + 2, Now, new string('x', 50)))]);
        }

        var slots = database.Collection("instances");
        for (var i = 0; i < 5; i++) slots.Upsert(new BsonDocument { ["_id"] = $"shop/slot{i}", ["text"] = new string('y', 3000) });
        Assert.That(database.Fault, Is.Null);
    }

    [OneTimeTearDown]
    public void Delete() => whole.Dispose();

    [SetUp]
    public void Make() => directory = new TemporaryDirectory();

    [TearDown]
    public void End() => directory.Dispose();

    [Test]
    public void A_file_that_is_cut_off_anywhere_is_found_so()
    {
        var random = new Random(4);
        var length = new FileInfo(whole["agent.db"]).Length;
        Assert.That(length, Is.GreaterThan(30 * PageSums.PageSize), "the file has pages of every kind");
        for (var round = 0; round < Rounds; round++)
        {
            CopyWhole();
            var at = random.NextInt64(length);
            using (var file = File.OpenWrite(directory["agent.db"])) file.SetLength(at);

            AssertFound(at == 0 ? StateFaultKind.Lost : StateFaultKind.Damaged, $"round {round}: cut off at {at} of {length}");
        }
    }

    [TestCase("agent.db")]
    [TestCase("agent.sums")]
    public void A_byte_that_is_another_is_found_wherever_it_is(string name)
    {
        var random = new Random(5);
        var length = new FileInfo(whole[name]).Length;
        for (var round = 0; round < Rounds; round++)
        {
            CopyWhole();
            var at = random.NextInt64(length);
            Flip(directory[name], at, random);

            AssertFound(StateFaultKind.Damaged, $"round {round}: byte {at} of {name}");
        }
    }

    [Test]
    public void What_is_no_database_is_found_so()
    {
        var garbage = new byte[100_000];
        new Random(6).NextBytes(garbage);
        foreach (var (what, content) in (ReadOnlySpan<(string, byte[])>)[("garbage", garbage), ("text", "# agent.yml\n"u8.ToArray()), ("zeros", new byte[PageSums.PageSize * 3])])
        {
            CopyWhole();
            File.WriteAllBytes(directory["agent.db"], content);
            AssertFound(StateFaultKind.Damaged, what);
        }
    }

    [Test]
    public void A_database_or_its_sums_that_are_gone_are_missed()
    {
        CopyWhole();
        File.Delete(directory["agent.sums"]);
        AssertFound(StateFaultKind.Damaged, "no sums");

        CopyWhole();
        File.Delete(directory["agent.db"]);
        AssertFound(StateFaultKind.Lost, "no database");

        Empty();
        Directory.CreateDirectory(directory["apps/shop/main"]);
        File.WriteAllText(directory["apps/shop/main/instance.json"], "{}");
        AssertFound(StateFaultKind.Lost, "instances without a database");
    }

    [Test]
    public void A_database_from_before_there_were_sums_gets_them()
    {
        CopyWhole();
        using (var database = Open())
        {
            database.Use(d =>
            {
                d.UserVersion = 0;
                d.Checkpoint();
                return true;
            });
        }

        File.Delete(directory["agent.sums"]);
        using (var database = Open())
        {
            Assert.That(database.Fault, Is.Null);
            Assert.That(new OperationJournal(database, 1000).Find(OperationId.Parse("op-39")), Is.Not.Null);
        }

        Flip(directory["agent.db"], 100_000, new Random(10));
        AssertFound(StateFaultKind.Damaged, "from then on");
    }

    [Test]
    public void What_was_kept_aside_is_not_forgotten_by_the_next_start()
    {
        CopyWhole();
        Flip(directory["agent.db"], 10_000, new Random(7));
        AssertFound(StateFaultKind.Damaged, "first start");

        using var again = Open();

        Assert.That(again.Fault!.Kind, Is.EqualTo(StateFaultKind.Lost));
        Assert.That(again.Fault.KeptAs, Is.EqualTo(directory["agent.db.damaged-20261126T225403Z"]));
    }

    [Test]
    public void A_later_versions_file_stays_where_it_is_and_as_it_is()
    {
        CopyWhole();
        using (var later = Open())
        {
            later.Use(d =>
            {
                d.UserVersion = DatabaseInspection.Format + 1;
                d.Checkpoint();
                return true;
            });
        }

        var before = Contents();
        using (var database = Open())
        {
            Assert.That(database.Fault!.Kind, Is.EqualTo(StateFaultKind.Newer));
            Assert.That(database.Fault.Reason, Does.Contain($"format {DatabaseInspection.Format + 1}"));
            database.Collection("operations").Upsert(new BsonDocument { ["_id"] = "new" });
            Assert.That(() => database.ThrowIfReadOnly(), Throws.TypeOf<OperatorException>());
        }

        Assert.That(Contents(), Is.EqualTo(before));
    }

    [Test]
    [CancelAfter(10_000)]
    public async Task Damage_that_comes_while_the_agent_runs_is_found_by_the_read_that_meets_it(CancellationToken cancellation)
    {
        CopyWhole();
        using var database = Open();
        var journal = new OperationJournal(database, keep: 1000);
        Assert.That(journal.Find(OperationId.Parse("op-1")), Is.Not.Null);
        // What LiteDB has in memory is let go by the checkpoint of a write.
        database.Collection("instances").Upsert(new BsonDocument { ["_id"] = "shop/slot0" });
        var failed = new TaskCompletionSource<StateFault>();
        database.Failed += failed.SetResult;
        var random = new Random(8);
        for (var page = 1; page < new FileInfo(directory["agent.db"]).Length / PageSums.PageSize; page++)
            Flip(directory["agent.db"], (page * PageSums.PageSize) + random.Next(PageSums.PageSize), random);

        var found = journal.Find(OperationId.Parse("op-1"));

        Assert.That(found, Is.Null);
        Assert.That((await failed.Task.WaitAsync(cancellation)).Kind, Is.EqualTo(StateFaultKind.Damaged));
        Assert.That(File.Exists(database.Fault!.KeptAs), Is.True);
        var refused = Assert.Throws<OperatorException>(() => journal.Begin(Record(1000)));
        Assert.That(refused!.Error.Reason, Is.EqualTo("STATE_READ_ONLY"));
        Assert.That(journal.End(Record(1001), []), Is.Null, "what runs still ends");
        Assert.That(journal.Find(OperationId.Parse("op-1001")), Is.Not.Null);
    }

    [Test]
    public void A_log_that_a_crash_left_is_taken_in_and_one_that_makes_no_sense_is_no_crash()
    {
        CopyWhole();
        using (var database = Open()) database.Collection("operations").Upsert(new BsonDocument { ["_id"] = "acknowledged" });
        using (var left = new LiteDatabase(directory["agent.db"]))
        {
            // Committed to the log, and not moved into the file: not even when it is closed, which waits for what is still to be written.
            left.Pragma("CHECKPOINT", 0);
            left.GetCollection("operations").Upsert(new BsonDocument { ["_id"] = "in the log" });
        }

        foreach (var file in Files) File.Copy(directory[file], $"{directory[file]}.left");
        Assert.That(new FileInfo($"{directory["agent-log.db"]}.left").Length, Is.GreaterThan(0));
        void Crashed()
        {
            foreach (var file in Files) File.Copy($"{directory[file]}.left", directory[file], overwrite: true);
        }

        Crashed();
        using (var database = Open())
        {
            Assert.That(database.Fault, Is.Null);
            Assert.That(database.Collection("operations").FindById("acknowledged"), Is.Not.Null);
            Assert.That(database.Collection("operations").FindById("in the log"), Is.Not.Null);
        }

        var random = new Random(9);
        var length = new FileInfo($"{directory["agent-log.db"]}.left").Length;
        for (var round = 0; round < Rounds; round++)
        {
            Crashed();
            using (var file = File.OpenWrite(directory["agent-log.db"])) file.SetLength(random.NextInt64(length));
            using (var database = Open())
                Assert.That(database.Fault is not null || database.Collection("operations").FindById("acknowledged") is not null, $"round {round}");
            foreach (var aside in Directory.GetFiles(directory.Path, "*.damaged-*")) File.Delete(aside);
        }
    }

    [TestCase(1)]
    [TestCase(15)]
    public void Sums_of_which_only_the_beginning_is_left_are_not_made_anew(int length)
    {
        CopyWhole();
        using (var file = File.OpenWrite(directory["agent.sums"])) file.SetLength(length);

        AssertFound(StateFaultKind.Damaged, $"{length} bytes of the sums");
    }

    [Test]
    public void A_page_of_the_log_that_was_half_written_ends_it_there()
    {
        var random = new Random(11);
        for (var round = 0; round < Rounds; round++)
        {
            using var killed = new TemporaryDirectory();
            LeaveLog(killed.Path);
            using (var log = File.OpenWrite(killed["agent-log.db"]))
            {
                // The half of a page that a disk writes at once, as it was before: whatever was there.
                log.Position = random.NextInt64(log.Length / 4096) * 4096;
                var half = new byte[4096];
                random.NextBytes(half);
                log.Write(half);
            }

            using var database = AgentDatabase.Open(killed["agent.db"]);
            Assert.That(database.Fault, Is.Null, $"round {round}");
            var documents = database.Collection("operations").FindAll();
            Assert.That(documents.Select(d => d["_id"].AsString), Is.EqualTo(new[] { "acknowledged" }).Or.EqualTo(new[] { "acknowledged", "in the log" }), $"round {round}");
            Assert.That(documents.Select(d => d["text"].AsString), Has.All.EqualTo(Text), $"round {round}");
            database.Collection("operations").Upsert(new BsonDocument { ["_id"] = "after" });
        }
    }

    /// <summary>What the power leaves when it fails between LiteDB's log and its checkpoint.</summary>
    private static void LeaveLog(string directory)
    {
        using var running = new TemporaryDirectory();
        using var database = AgentDatabase.Open(running["agent.db"]);
        database.Collection("operations").Upsert(new BsonDocument { ["_id"] = "acknowledged", ["text"] = Text });
        database.Use(d => d.GetCollection("operations").Upsert(new BsonDocument { ["_id"] = "in the log", ["text"] = Text }));
        var log = new FileInfo(running["agent-log.db"]);
        for (var deadline = Environment.TickCount64 + 10_000; log.Length == 0 && Environment.TickCount64 < deadline; log.Refresh()) Thread.Yield();
        foreach (var file in Directory.GetFiles(running.Path))
        {
            using var from = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var to = File.Create(Path.Combine(directory, Path.GetFileName(file)));
            from.CopyTo(to);
        }
    }

    private void AssertFound(StateFaultKind kind, string how)
    {
        var before = Contents();
        using (var database = Open())
        {
            var fault = database.Fault;
            Assert.That(fault?.Kind, Is.EqualTo(kind), how);
            Assert.That(fault!.Reason, Does.Contain("agent"), how);
            var refused = Assert.Throws<OperatorException>(() => new OperationJournal(database, 100).Begin(Record(1000)), how);
            Assert.That(refused!.Error.Reason, Is.EqualTo("STATE_READ_ONLY"), how);
            Assert.That(database.Collection("operations").FindAll(), Is.Empty, how);
        }

        Assert.That(Contents(), Is.EqualTo(before), $"{how}: what is kept aside is what was there");
        Assert.That(File.Exists(directory["agent.db"]), Is.False, how);
    }

    private AgentDatabase Open() => AgentDatabase.Open(directory["agent.db"], new FakeTimeProvider(Now));

    private void Empty()
    {
        foreach (var file in Directory.GetFiles(directory.Path)) File.Delete(file);
    }

    private void CopyWhole()
    {
        Empty();
        foreach (var file in Files.Where(f => File.Exists(whole[f]))) File.Copy(whole[file], directory[file]);
    }

    /// <summary>The files by what they hold, whatever they are called now.</summary>
    private string[] Contents() => [.. Directory.GetFiles(directory.Path)
        .Select(f => $"{Path.GetFileName(f).Split(".damaged")[0].Split(".lost")[0]} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(f)))}")
        .Order(StringComparer.Ordinal)];

    private static void Flip(string path, long at, Random random)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = at;
        var value = file.ReadByte();
        file.Position = at;
        file.WriteByte((byte)(value ^ random.Next(1, 256)));
    }

    private static OperationRecord Record(int number) => new(
        OperationId.Parse($"op-{number}"),
        DeploymentId.Parse($"d{number / 10}"),
        OperationKind.Evaluate,
        new OperationSubject(AppName.Parse("shop")),
        "fingerprint",
        Now.AddSeconds(number),
        OperationState.Succeeded,
        Now.AddSeconds(number + 1),
        Result: new Evaluated(0));
}
