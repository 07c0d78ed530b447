using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.EndToEnd.Harness;
using Decant.Errors;

namespace Decant.Agent.Tests.State;

/// <summary>A real file system that is full at one write of the journal after the other. Mounting it needs root.</summary>
internal sealed class FullDiskWriteTests
{
    private const int Page = 4096;
    private const int Before = 3;

    [Test]
    public async Task Whichever_write_of_the_journal_finds_the_disk_full_what_was_acknowledged_is_there_and_all_works_when_there_is_room()
    {
        using var directory = new TemporaryDirectory();
        await using var disk = await SmallDisk.MountAsync(directory["disk"], "8m");
        var outcomes = new HashSet<int>();
        for (var pagesLeft = 0; pagesLeft <= 40; pagesLeft++)
        {
            var path = Path.Combine(directory["disk"], $"{pagesLeft}", "agent.db");
            var acknowledged = Before;
            using (var database = AgentDatabase.Open(path))
            {
                var journal = new OperationJournal(database, 1000);
                for (var number = 0; number < Before; number++) Assert.That(TryWrite(journal, number), Is.True);
                disk.Fill(but: pagesLeft * Page);
                while (TryWrite(journal, acknowledged)) acknowledged++;
                AssertThere(journal, acknowledged, $"{pagesLeft} pages left, the agent runs on");
            }

            using (var database = AgentDatabase.Open(path))
            {
                Assert.That(database.Fault, Is.Null, $"{pagesLeft} pages left");
                AssertThere(new OperationJournal(database, 1000), acknowledged, $"{pagesLeft} pages left, after a restart on the full disk");
            }

            disk.Free();
            using (var database = AgentDatabase.Open(path))
            {
                var journal = new OperationJournal(database, 1000);
                Assert.That(TryWrite(journal, 500), Is.True, $"{pagesLeft} pages left, and then room again");
                AssertThere(journal, acknowledged, $"{pagesLeft} pages left, with room again");
            }

            outcomes.Add(acknowledged - Before);
            Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
        }

        Assert.That(outcomes, Has.Count.GreaterThan(2), "the disk was full at different writes");
    }

    private static void AssertThere(OperationJournal journal, int acknowledged, string when)
    {
        for (var number = 0; number < acknowledged; number++)
            Assert.That(journal.Find(JournalWriter.Record(number).Id)?.Record.State, Is.EqualTo(OperationState.Succeeded), $"{when}: operation {number} of {acknowledged}");
    }

    /// <summary>Whether it was acknowledged.</summary>
    private static bool TryWrite(OperationJournal journal, int number)
    {
        try
        {
            journal.Begin(JournalWriter.Record(number) with { State = OperationState.Running, EndedAt = null, Result = null });
        }
        catch (OperatorException exception)
        {
            Assert.That(exception.Error.Reason, Is.EqualTo("DISK_FULL"));
            return false;
        }

        return journal.End(JournalWriter.Record(number), [new MessageReported(2, DateTimeOffset.UnixEpoch, new string('x', 3000))]) is null;
    }
}
