using Decant.Agent.Audit;
using Microsoft.Extensions.Logging.Abstractions;

namespace Decant.Agent.Tests.Audit;

public class AuditLogTests
{
    private TemporaryDirectory directory = null!;

    [SetUp]
    public void MakeDirectory() => directory = new TemporaryDirectory();

    [TearDown]
    public void DeleteDirectory() => directory.Dispose();

    [Test]
    public void What_is_written_is_read_in_its_order_and_numbers_grow_over_a_restart()
    {
        AuditEntry first, second;
        using (var log = Open()) log.Append(first = Entry(log.Next(), "alice"));
        using (var log = Open()) log.Append(second = Entry(log.Next(), "bob \"b\"\n"));

        using var read = Open();
        Assert.That(read.Read(), Is.EqualTo(new[] { first, second }));
        Assert.That((first.Number, second.Number, read.Next()), Is.EqualTo((1UL, 2UL, 3UL)));
        Assert.That(File.GetUnixFileMode(directory["audit/audit.jsonl"]), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [Test]
    public void A_line_that_was_cut_short_spoils_no_other()
    {
        using (var log = Open()) log.Append(Entry(log.Next(), "alice"));
        File.AppendAllText(directory["audit/audit.jsonl"], "{\"at\":\"2026-11-27T00:0");
        using (var log = Open()) log.Append(Entry(log.Next(), "bob"));

        using var read = Open();
        Assert.That(read.Read().Select(e => e.Caller), Is.EqualTo(new[] { "alice", "bob" }));
        Assert.That(File.ReadAllLines(directory["audit/audit.jsonl"]), Has.Length.EqualTo(3));
    }

    [Test]
    public void The_last_eight_files_are_kept()
    {
        using var log = Open(fileBytes: 1000);
        for (var i = 0; i < 100; i++) log.Append(Entry(log.Next(), $"caller {i}"));

        var kept = log.Read().Select(e => (int)e.Number).ToList();

        Assert.Multiple(() =>
        {
            Assert.That(Directory.GetFiles(directory["audit"]), Has.Length.EqualTo(AuditLog.Files));
            Assert.That(Directory.GetFiles(directory["audit"]).Max(f => new FileInfo(f).Length), Is.LessThan(1300));
            Assert.That(kept, Is.EqualTo(Enumerable.Range(kept[0], kept.Count)), "the oldest went, and none in between");
            Assert.That(kept[^1], Is.EqualTo(100));
        });
    }

    [Test]
    public void An_entry_that_the_disk_refuses_holds_nothing_up()
    {
        File.WriteAllText(directory["audit"], "in the way");
        using var log = Open();

        Assert.That(() => log.Append(Entry(log.Next(), "alice")), Throws.Nothing);
    }

    private AuditLog Open(long fileBytes = AuditLog.FileBytes) => new(directory["audit"], NullLogger<AuditLog>.Instance, fileBytes);

    private static AuditEntry Entry(ulong number, string caller) => new(
        new DateTimeOffset(2026, 11, 27, 3, 0, 0, 123, TimeSpan.Zero), number, AuditEvent.Ended, caller, "1f", "10.0.0.9:4000", "Instances/Start", "shop", "op/1", "d1", "OK");
}
