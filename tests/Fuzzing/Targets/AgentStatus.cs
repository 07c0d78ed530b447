using Decant.Controller.Fleet;
using Decant.EndToEnd.Harness;
using Decant.Fuzzing.Engine;
using Decant.Names;
using Decant.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Fuzzing.Targets;

/// <summary>What agents answer, of this version or another: the first byte says whether it is a host's status or a backend. Whatever they answer, it is seen.</summary>
internal sealed class AgentStatus : FuzzTarget
{
    private const string Digest = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    private static readonly AppName App = AppName.Parse("shop");

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            var release = new ReleaseRef { Version = "1.0.0", Digest = Digest };
            var instance = new Instance
            {
                App = "shop",
                Slot = "main",
                State = InstanceState.Running,
                Release = release,
                Spec = new SlotSpec { Port = 4000, Node = "shop@127.0.0.1", Env = { ["A"] = "b" } },
                RetireAt = Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch),
                LastExit = new ExitReport { ExitCode = 1 },
            };
            var status = new HostStatus { Releases = { new Release { App = "shop", Release_ = release, LastGood = true } }, Instances = { instance } };
            var backend = new Backend { Members = { new Member { Name = "web1", Address = "10.0.0.1:80", State = MemberState.Ready, Weight = 100 } } };
            return [[0, .. status.ToByteArray()], [1, .. backend.ToByteArray()], [0], [1]];
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
            {
                var backend = StatusMapping.ToObservation(Backend.Parser.ParseFrom(input, 1, input.Length - 1));
                Promise(backend.Members.Values.All(m => m is { Weight: >= 0, Answers: >= 0, Errors: >= 0, ResponseTimeWindow: >= 0 } && double.IsFinite(m.ResponseTimeMs)), "a member has fewer than none");
                return $"{Math.Min(3, backend.Members.Count)} members";
            }

            var seen = StatusMapping.ToObservation(HostStatus.Parser.ParseFrom(input, 1, input.Length - 1), App);
            return $"{seen.ReadOnly is null} {Math.Min(3, seen.Slots.Count)} slots";
        }
        catch (InvalidProtocolBufferException refused)
        {
            return refused.Message[..Math.Min(25, refused.Message.Length)];
        }
    }
}
