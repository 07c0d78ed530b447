using Decant.Controller.Execution;
using Decant.V1;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Controller.Tests.Execution;

public class RecordMappingTests
{
    private static readonly Timestamp Now = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch);

    private static V1.DeploymentRecord Record() => new()
    {
        Id = "20261127-002435-tq6e",
        App = "shop",
        Intent = DeploymentIntent.Deploy,
        State = DeploymentState.Running,
        Attempt = 1,
        StartedAt = Now,
    };

    private static Operation Operation() => new()
    {
        Ref = new OperationRef { Id = "d/1/start", DeploymentId = "d", Step = new V1.DeploymentStep { Key = "start", Verb = "start", Host = "web1" } },
        State = OperationState.Succeeded,
        StartedAt = Now,
    };

    [Test]
    public void A_record_as_this_version_writes_it_is_read() => Assert.That(RecordMapping.ToRecord(Record()).StartedAt, Is.EqualTo(DateTimeOffset.UnixEpoch));

    private static IEnumerable<TestCaseData> Records()
    {
        static TestCaseData Case(string name, Action<V1.DeploymentRecord> change) => new TestCaseData(change).SetName($"A_record_{name}_is_none_of_this_versions");

        yield return Case("that_does_not_say_when_it_began", r => r.StartedAt = null);
        yield return Case("of_a_time_that_no_calendar_has", r => r.StartedAt = new Timestamp { Seconds = long.MinValue });
        yield return Case("of_an_attempt_beyond_all_numbers", r => r.Attempt = uint.MaxValue);
        yield return Case("of_a_revision_beyond_all_numbers", r => r.Revision = uint.MaxValue);
        yield return Case("of_a_port_beyond_all_numbers", r => r.Cutovers.Add(new HostCutover { Host = "web1", Slot = "main", Spec = new SlotSpec { Port = uint.MaxValue } }));
    }

    [TestCaseSource(nameof(Records))]
    public void A_record_that_makes_no_sense_is_refused(Action<V1.DeploymentRecord> change)
    {
        var record = Record();
        change(record);

        Assert.That(() => RecordMapping.ToRecord(record), Throws.TypeOf<FormatException>());
    }

    private static IEnumerable<TestCaseData> Operations()
    {
        static TestCaseData Case(string name, Action<Operation> change) => new TestCaseData(change).SetName($"An_operation_{name}_is_none_of_this_versions");

        yield return Case("that_does_not_say_when_it_began", o => o.StartedAt = null);
        yield return Case("that_failed_and_does_not_say_why", o => o.State = OperationState.Failed);
        yield return Case("that_was_interrupted_and_does_not_say_why", o => o.State = OperationState.Interrupted);
        yield return Case("of_an_order_beyond_all_numbers", o => o.Ref.Step.Order = uint.MaxValue);
    }

    [TestCaseSource(nameof(Operations))]
    public void An_operation_that_makes_no_sense_is_refused(Action<Operation> change)
    {
        var operation = Operation();
        change(operation);

        Assert.That(() => RecordMapping.ToStep(operation), Throws.TypeOf<FormatException>());
    }
}
