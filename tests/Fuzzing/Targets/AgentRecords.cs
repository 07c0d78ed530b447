using Decant.Controller.Execution;
using Decant.EndToEnd.Harness;
using Decant.Errors;
using Decant.Fuzzing.Engine;
using Decant.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Decant.Fuzzing.Targets;

/// <summary>What agents kept of deployments, of this version or another: the first byte says whether it is a record or an operation. Read, or a FormatException.</summary>
internal sealed class AgentRecords : FuzzTarget
{
    private const string Digest = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            var release = new ReleaseRef { Version = "1.0.0", Digest = Digest };
            var at = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch);
            var record = new V1.DeploymentRecord
            {
                Id = "20261127-002435-tq6e",
                App = "shop",
                Intent = DeploymentIntent.Deploy,
                Release = release,
                State = DeploymentState.Running,
                Attempt = 1,
                StartedAt = at,
                EndedAt = at,
                Controller = new DeploymentController { User = "me", Machine = "m", Pid = 7, Process = "abc/12" },
                Cutovers = { new HostCutover { Host = "web1", From = release, To = release, Slot = "main", Spec = new SlotSpec { Port = 1 } } },
                Only = { "web1" },
                IsLimited = true,
                Canary = new CanaryState { Hosts = { "web1" } },
            };
            var operation = new Operation
            {
                Ref = new OperationRef
                {
                    Id = "20261127-002435-tq6e/1/start/web1",
                    DeploymentId = "20261127-002435-tq6e",
                    Step = new DeploymentStep { Key = "start/web1", Verb = "start", Host = "web1", TakesOut = { new MemberPlace { Balancer = "edge", Host = "web1", Slot = "main" } } },
                },
                State = OperationState.Succeeded,
                StartedAt = at,
                EndedAt = at,
                Result = new OperationResult { Migrate = new MigrateResult { Elapsed = Duration.FromTimeSpan(TimeSpan.FromSeconds(3)) } },
            };
            var failed = operation.Clone();
            (failed.State, failed.Result, failed.Error) = (OperationState.Failed, null, new OperatorError(StatusCode.Aborted, "MIGRATION_FAILED", "it failed").ToStatus());
            return [[0, .. record.ToByteArray()], [1, .. operation.ToByteArray()], [1, .. failed.ToByteArray()], [0], [1]];
        }
    }

    // An empty message within another takes two bytes on the wire.
    public override long MayAllocate(int length) => (4 << 20) + (4000L * length);

    public override byte[] Mutate(byte[] input, Mutation mutation)
        => input.Length == 0 || mutation.Once(6) ? mutation.Bytes(input, [], Largest) : [input[0], .. Wire.Spoilt(input[1..], mutation.Random, Largest)];

    public override string Run(byte[] input)
    {
        if (input.Length == 0) return "nothing";
        try
        {
            if (input[0] % 2 == 1)
                return RecordMapping.ToStep(Operation.Parser.ParseFrom(input, 1, input.Length - 1)) is { } step ? $"a step {step.Step.End?.State}" : "no step";
            var record = RecordMapping.ToRecord(V1.DeploymentRecord.Parser.ParseFrom(input, 1, input.Length - 1));
            Promise(record.Attempt >= 0 && record.Revision >= 0, "a number is negative");
            // What was taken over is written down, and told to agents again.
            RecordMapping.ToMessage(record);
            return $"a record {record.Status}";
        }
        catch (Exception refused) when (refused is InvalidProtocolBufferException or FormatException)
        {
            return refused.Message[..Math.Min(25, refused.Message.Length)];
        }
    }
}
