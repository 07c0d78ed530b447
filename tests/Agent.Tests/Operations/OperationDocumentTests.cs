using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Tests.Operations;

public class OperationDocumentTests
{
    private static readonly ReleaseId Release = new(ReleaseVersion.Parse("1.0.0"), Sha256Digest.Parse(new string('a', 64)));

    private static readonly OperationResult[] Results =
    [
        new Done(Unchanged: true),
        new Staged(Release, 12_000_000_000, 602),
        new Started(4711, 123_456_789_012, Unchanged: true),
        new Stopped(StopMeans.Sigterm, TimeSpan.FromMilliseconds(1234), 143),
        new Stopped(StopMeans.NotRunning, TimeSpan.Zero, null),
        new Evaluated(0),
        new Healthy(TimeSpan.FromSeconds(2), new RunningRelease("1.0.0", "/r", "shop@127.0.0.1", "node")),
        new Drained(TimeSpan.FromSeconds(3), 2),
        new Unlocked("alice on ops1", "its laptop is closed", "bob", FencingToken.Parse(1_700_000_000_001)),
        new Unlocked("alice on ops1", "to be sure", "", null),
        new Undrained(TimeSpan.FromSeconds(1), "UP"),
    ];

    [TestCaseSource(nameof(Results))]
    public void A_result_comes_back_from_the_journal_as_it_went_in(object result)
    {
        var record = Record() with { State = OperationState.Succeeded, EndedAt = DateTimeOffset.UnixEpoch, Result = (OperationResult)result };

        Assert.That(OperationDocument.ToRecord(OperationDocument.From(record, [])), Is.EqualTo(record));
    }

    [Test]
    public void A_result_with_lists_comes_back_from_the_journal_as_it_went_in()
    {
        var migrated = new Migrated(0, TimeSpan.FromSeconds(1), [new OutputLine("a", false), new OutputLine("b", true)], AlreadyDone: false);
        var pruned = new Pruned([Release], ["1.1.0: in use"]);

        Assert.Multiple(() =>
        {
            Assert.That(((Migrated)RoundTrip(migrated)).Tail, Is.EqualTo(migrated.Tail));
            Assert.That(((Pruned)RoundTrip(pruned)).Removed, Is.EqualTo(pruned.Removed));
            Assert.That(((Pruned)RoundTrip(pruned)).Kept, Is.EqualTo(pruned.Kept));
        });
    }

    [Test]
    public void An_error_comes_back_from_the_journal_with_everything_that_an_operator_needs()
    {
        var error = new OperatorError(StatusCode.DeadlineExceeded, "NOT_HEALTHY", "503 from /health", "look at the logs").With("slot", "main");
        var record = Record() with { State = OperationState.Failed, EndedAt = DateTimeOffset.UnixEpoch, Error = error };

        var back = OperationDocument.ToRecord(OperationDocument.From(record, [])).Error!;

        Assert.Multiple(() =>
        {
            Assert.That(back.ToStatus(), Is.EqualTo(error.ToStatus()));
        });
    }

    private static OperationResult RoundTrip(OperationResult result)
        => OperationDocument.ToRecord(OperationDocument.From(Record() with { Result = result }, [])).Result!;

    private static OperationRecord Record() => new(
        OperationId.Parse("d1/web1/stop"),
        DeploymentId.Parse("d1"),
        OperationKind.Stop,
        new OperationSubject(AppName.Parse("shop"), SlotName.Parse("main"), Release, "edge/shop/web1"),
        "f",
        DateTimeOffset.UnixEpoch,
        OperationState.Running);
}
