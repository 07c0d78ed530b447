using System.Text;
using Decant.Agent.Api;
using Decant.Agent.Operations;
using Decant.EndToEnd.Harness;
using Decant.Errors;
using Decant.Fuzzing.Engine;
using Decant.Names;
using Decant.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Fuzzing.Targets;

/// <summary>
/// Requests of every call, by the contract's own descriptors: the first byte says of which, the rest is the message. Read as the services read
/// their parts, it is values, or every field that is wrong, in an error that fits into gRPC's trailers.
/// </summary>
internal sealed class Requests : FuzzTarget
{
    // gRPC's default max_metadata_size, less what else is in the trailers.
    private const int MaxTrailers = 8 << 10;

    private static readonly MessageDescriptor[] Types =
    [
        .. new[]
        {
            BalancersReflection.Descriptor, DeploymentsReflection.Descriptor, HostReflection.Descriptor, InstancesReflection.Descriptor, LeasesReflection.Descriptor, OperationsReflection.Descriptor, ReleasesReflection.Descriptor,
        }.SelectMany(f => f.Services).SelectMany(s => s.Methods).Select(m => m.InputType).Distinct(),
    ];

    private const string Digest = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    private const string Everything = $$"""
        {
          "operation": { "id": "op-1", "deploymentId": "d1", "fencingToken": "1", "step": { "key": "start/web1", "verb": "start", "host": "web1", "description": "start web1" } }, "app": "demo", "slot": "main",
          "release": { "version": "1.0.0", "digest": "{{Digest}}" }, "spec": { "port": 4000, "node": "demo@127.0.0.1", "env": { "B": "2", "A": "1" } },
          "health": { "http": { "path": "/health", "status": 200, "host": "a.b" }, "interval": "1s", "rise": 1 }, "expression": ":ok", "balancer": "edge", "backend": "demo", "member": "web1",
          "into": [ { "member": "web1", "address": "10.0.0.1:80", "weight": 50 } ], "outOf": [ "web2" ], "address": "10.0.0.1:80",
          "holder": { "id": "op-1", "purpose": "a test", "user": "me", "machine": "m", "pid": 1 }, "by": "a tester", "fencingToken": "1",
          "id": "op-1", "reason": "a test", "tail": 5, "limit": 5, "timeout": "2s", "deadline": "1s", "longLived": { "closeAfter": "1s", "spread": "2s" },
          "header": { "app": "demo", "release": { "version": "1.0.0", "digest": "{{Digest}}" }, "totalBytes": 1000 },
          "record": { "id": "d1", "app": "demo", "intent": "DEPLOYMENT_INTENT_DEPLOY", "state": "DEPLOYMENT_STATE_RUNNING", "attempt": 1, "startedAt": "2026-11-24T13:00:00Z", "manifest": "app: demo", "cutovers": [ { "host": "web1", "slot": "main" } ], "only": [ "web1" ] }
        }
        """;

    public override IEnumerable<byte[]> Seeds => Types.SelectMany((type, n) => (byte[][])[[(byte)n], [(byte)n, .. Whole(type)]]);

    // A fingerprint is made of the text of all fields.
    public override long MayAllocate(int length) => (8 << 20) + (6000L * length);

    public override byte[] Mutate(byte[] input, Mutation mutation)
    {
        if (input.Length == 0 || mutation.Once(6)) return mutation.Bytes(input, [], Largest);
        return [mutation.Once(10) ? (byte)mutation.Random.Next(Types.Length) : input[0], .. Wire.Spoilt(input[1..], mutation.Random, Largest)];
    }

    public override string Run(byte[] input)
    {
        if (input.Length == 0) return "nothing";
        var type = Types[input[0] % Types.Length];
        IMessage message;
        try
        {
            message = type.Parser.ParseFrom(input, 1, input.Length - 1);
        }
        catch (InvalidProtocolBufferException)
        {
            return "no message";
        }

        var reader = new RequestReader();
        Read(reader, "", message, 0);
        try
        {
            reader.ThrowIfWrong();
        }
        catch (OperatorException refused)
        {
            Promise(refused.Error is { Reason: "BAD_REQUEST", Fields.Count: > 0 }, "it is refused without a field");
            var sent = refused.Error.With("host", "web1").ToRpcException();
            Promise(sent.Trailers.Sum(t => t.Key.Length + (t.IsBinary ? t.ValueBytes.Length * 4 / 3 : t.Value.Length)) + Encoding.UTF8.GetByteCount(Uri.EscapeDataString(sent.Status.Detail)) < MaxTrailers, "the error is larger than trailers may be");
            var received = OperatorError.FromRpc(sent);
            Promise(received.Fields.Count > 0 && received.Reason == "BAD_REQUEST", "the error does not arrive");
            foreach (var field in received.Fields) Readable($"{field.Field}: {field.Reason}");
            return $"{type.Name[..Math.Min(8, type.Name.Length)]} {received.Fields[0].Reason}";
        }

        return $"{type.Name} valid";
    }

    private static byte[] Whole(MessageDescriptor type)
    {
        var keep = type.FindFieldByName("keep")?.FieldType == FieldType.Message ? "\"600s\"" : "1";
        return new JsonParser(JsonParser.Settings.Default.WithIgnoreUnknownFields(true)).Parse(Everything.Insert(Everything.IndexOf('{', StringComparison.Ordinal) + 1, $"\"keep\": {keep}, "), type).ToByteArray();
    }

    /// <summary>The parts of a request, each as the service that knows it reads it.</summary>
    private static void Read(RequestReader reader, string path, IMessage message, int depth)
    {
        if (depth == 0 && message.Descriptor.FindFieldByName("operation") is { } operation)
            reader.Operation(message, operation.Accessor.GetValue(message) as OperationRef, Agent.Operations.OperationKind.Start, new OperationSubject(null), null);
        foreach (var field in message.Descriptor.Fields.InDeclarationOrder().Where(f => !f.IsMap))
        {
            var name = path.Length == 0 ? field.Name : $"{path}.{field.Name}";
            var values = field.IsRepeated ? ((System.Collections.IEnumerable)field.Accessor.GetValue(message)).Cast<object?>().Take(50) : [field.Accessor.GetValue(message)];
            foreach (var value in values) Read(reader, name, field.Name, value, depth);
        }
    }

    private static void Read(RequestReader reader, string path, string name, object? value, int depth)
    {
        switch (value)
        {
            case V1.SlotSpec spec:
                InstanceMapping.ReadSpec(reader, spec, InstanceMapping.ReadKey(reader, "shop", "main"));
                break;
            case V1.HealthCheck check:
                InstanceMapping.ReadHealth(reader, check);
                break;
            case V1.LeaseHolder holder:
                LeaseMapping.ReadHolder(reader, holder);
                break;
            case V1.DeploymentRecord record:
                DeploymentMapping.ReadRecord(reader, record, null, DateTimeOffset.UnixEpoch);
                break;
            case ReleaseRef release:
                reader.Release(path, release);
                break;
            case Duration duration:
                reader.Duration(path, duration, TimeSpan.Zero, TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1));
                break;
            case OperationRef:
                break;
            case IMessage inner when depth < 3:
                Read(reader, path, inner, depth + 1);
                break;
            case ulong token when name.EndsWith("token", StringComparison.Ordinal):
                reader.Token(path, token);
                break;
            case string text:
                Read(reader, path, name, text);
                break;
        }
    }

    private static void Read(RequestReader reader, string path, string name, string text)
    {
        switch (name)
        {
            case "app":
                reader.Required<AppName>(path, text, AppName.TryParse);
                break;
            case "slot":
                reader.Optional<SlotName>(path, text, SlotName.TryParse);
                break;
            case "balancer":
                reader.Required<BalancerName>(path, text, BalancerName.TryParse);
                break;
            case "backend" or "member" or "out_of":
                reader.Required<MemberName>(path, text, MemberName.TryParse);
                break;
            case "address":
                reader.Optional<MemberAddress>(path, text, MemberAddress.TryParse);
                break;
            case "deployment_id":
                reader.Optional<DeploymentId>(path, text, DeploymentId.TryParse);
                break;
            case "id":
                reader.Required<OperationId>(path, text, OperationId.TryParse);
                break;
            case "expression":
                InstanceMapping.CheckExpression(reader, path, text, 4096);
                break;
            default:
                reader.Text(path, text, 500);
                break;
        }
    }
}
