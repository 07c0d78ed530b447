using Decant.Agent.State;
using LiteDB;

namespace Decant.Agent.Tests.State;

internal sealed class AgentDatabaseTests
{
    [Test]
    public void What_was_written_is_in_the_file_itself_when_the_call_returns_and_not_on_its_way_there()
    {
        using var directory = new TemporaryDirectory();
        using var killed = new TemporaryDirectory();
        using var database = AgentDatabase.Open(directory["agent.db"]);
        var documents = database.Collection("documents");

        for (var i = 0; i < 20; i++)
        {
            documents.Upsert(new BsonDocument { ["_id"] = $"{i}", ["text"] = new string('x', 5000) });
            // Without the log, which LiteDB may still be writing when its own call returns.
            File.Copy(directory["agent.db"], killed["agent.db"], overwrite: true);
            File.Copy(directory["agent.sums"], killed["agent.sums"], overwrite: true);
            File.Delete(killed["agent-log.db"]);
            using var left = AgentDatabase.Open(killed["agent.db"]);
            Assert.That(left.Collection("documents").FindById($"{i}"), Is.Not.Null, $"document {i}");
        }
    }

    [Test]
    public void Keys_that_differ_in_case_are_different_keys()
    {
        using var directory = new TemporaryDirectory();
        using var database = AgentDatabase.Open(directory["agent.db"]);
        var documents = database.Collection("documents");

        documents.Upsert(new BsonDocument { ["_id"] = "deploy-A" });

        Assert.That(documents.FindById("deploy-a"), Is.Null);
        Assert.That(documents.FindById("deploy-A"), Is.Not.Null);
    }

    [Test]
    public void The_files_are_for_their_owner_only()
    {
        using var directory = new TemporaryDirectory();
        using var database = AgentDatabase.Open(directory["agent.db"]);
        database.Collection("documents").Upsert(new BsonDocument { ["_id"] = "a" });

        foreach (var file in Directory.GetFiles(directory.Path))
            Assert.That(File.GetUnixFileMode(file), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite), file);
    }

    [Test]
    public void After_an_error_of_the_disk_the_next_call_works_again()
    {
        using var directory = new TemporaryDirectory();
        using var database = AgentDatabase.Open(directory["agent.db"]);
        var documents = database.Collection("documents");
        documents.Upsert(new BsonDocument { ["_id"] = "before" });

        Assert.That(() => database.Use<int>(_ => throw new IOException("the disk fails")), Throws.TypeOf<IOException>());

        Assert.That(documents.FindById("before"), Is.Not.Null);
        documents.Upsert(new BsonDocument { ["_id"] = "after" });
        Assert.That(documents.Count(), Is.EqualTo(2));
    }
}
