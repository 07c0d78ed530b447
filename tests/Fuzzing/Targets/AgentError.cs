using Decant.Controller.Fleet;
using Decant.EndToEnd.Harness;
using Decant.Errors;
using Decant.Fuzzing.Engine;
using Google.Protobuf;
using Grpc.Core;

namespace Decant.Fuzzing.Targets;

/// <summary>The status that comes with a failed call, from an agent or from whatever stands in its place: always an error that can be shown.</summary>
internal sealed class AgentError : FuzzTarget
{
    private static readonly AgentAddress Agent = AgentAddress.TryParse("10.0.0.1:7420", out var address, out _) ? address : throw new InvalidOperationException();

    public override IEnumerable<byte[]> Seeds =>
    [
        new OperatorError(StatusCode.NotFound, "RELEASE_NOT_FOUND", "no release", "look").With("app", "shop").ToStatus().ToByteArray(),
        OperatorError.BadRequest([new FieldError("app", "is missing"), new FieldError("slot", "is missing")]).ToStatus().ToByteArray(),
        new Google.Rpc.Status { Code = 99, Message = "?" }.ToByteArray(), [], [0xFF],
    ];

    public override IReadOnlyList<byte[]> Words => Bytes("type.googleapis.com/google.rpc.ErrorInfo", "type.googleapis.com/google.rpc.BadRequest", "what_next", "\u001b[2J");

    // An empty message within another takes two bytes on the wire.
    public override long MayAllocate(int length) => (4 << 20) + (4000L * length);

    public override byte[] Mutate(byte[] input, Mutation mutation) => mutation.Once(3) ? mutation.Bytes(input, Words, Largest) : Wire.Spoilt(input, mutation.Random, Largest);

    public override string Run(byte[] input)
    {
        var exception = new RpcException(new Status(StatusCode.Unknown, "it said so"), new Grpc.Core.Metadata { { "grpc-status-details-bin", input } });
        var error = AgentErrors.Of(exception, Agent);
        Promise(error.Reason.Length > 0 && error.Message is not null && error.WhatNext is not null, "an error has no reason");
        Readable(error.Reason, 400);
        Readable(error.Message!, int.MaxValue);
        Readable(error.WhatNext!, int.MaxValue);
        foreach (var (fact, value) in error.Facts) Readable($"{fact} {value}", int.MaxValue);
        AgentErrors.IsUnknown(exception, error);
        return $"{error.Reason[..Math.Min(20, error.Reason.Length)]} {error.Fields.Count > 0} {error.Facts.Count > 0}";
    }
}
