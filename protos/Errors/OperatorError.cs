using System.Diagnostics.CodeAnalysis;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using RpcStatus = Google.Rpc.Status;

namespace Decant.Errors;

/// <summary>
/// An error as operators and other tooling get it: what failed, why, what state things are in, what to do next. Travels as
/// <c>google.rpc.Status</c> with <c>ErrorInfo</c> and, for wrong requests, <c>BadRequest</c> (see common.proto).
/// </summary>
/// <param name="Code">The gRPC status code.</param>
/// <param name="Reason">Machine-readable reason in SCREAMING_CASE, listed at the call in the protos.</param>
/// <param name="Message">One or more sentences for people: what failed and why.</param>
/// <param name="WhatNext">What the operator can do now. Empty when the message says it all.</param>
public sealed record OperatorError(StatusCode Code, string Reason, string Message, string WhatNext = "")
{
    /// <summary>The ErrorInfo domain of every error of Decant's own.</summary>
    public const string Domain = "decant";

    private const string WhatNextKey = "what_next";
    private const int MaxFieldText = 1800;

    /// <summary>More facts, by name: "host", "app", "slot", "state", "offset".</summary>
    public IReadOnlyDictionary<string, string> Facts { get; init; } = new Dictionary<string, string>();

    /// <summary>Fields of the request that are wrong, each with its reason; empty for other errors.</summary>
    public IReadOnlyList<FieldError> Fields { get; init; } = [];

    /// <summary>A request whose fields are wrong.</summary>
    /// <param name="fields">All of them, not just the first.</param>
    public static OperatorError BadRequest(IReadOnlyList<FieldError> fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        return new OperatorError(StatusCode.InvalidArgument, "BAD_REQUEST", string.Join("; ", fields.Select(f => $"{f.Field}: {f.Reason}")))
        {
            Fields = fields,
        };
    }

    /// <summary>The same error with one more fact.</summary>
    public OperatorError With(string fact, string value)
        => this with { Facts = new Dictionary<string, string>(Facts) { [fact] = value } };

    /// <summary>The wire form.</summary>
    public RpcStatus ToStatus()
    {
        var info = new ErrorInfo { Domain = Domain, Reason = Reason };
        foreach (var (name, value) in Facts) info.Metadata[name] = value;
        if (WhatNext.Length > 0) info.Metadata[WhatNextKey] = WhatNext;

        var status = new RpcStatus { Code = (int)Code, Message = Message, Details = { Any.Pack(info) } };
        if (Fields.Count > 0)
        {
            var bad = new BadRequest();
            bad.FieldViolations.AddRange(Fields.Select(f => new BadRequest.Types.FieldViolation { Field = f.Field, Description = f.Reason }));
            status.Details.Add(Any.Pack(bad));
        }

        return status;
    }

    /// <summary>Reads the wire form; errors that are not Decant's own keep their code and message.</summary>
    public static OperatorError FromStatus(RpcStatus status)
    {
        ArgumentNullException.ThrowIfNull(status);
        var info = Detail<ErrorInfo>(status);
        var bad = Detail<BadRequest>(status);
        var facts = info?.Metadata.Where(m => m.Key != WhatNextKey).ToDictionary(m => Printable.Line(m.Key), m => Printable.Lines(m.Value));
        return new OperatorError(
            (StatusCode)status.Code,
            info is { Reason.Length: > 0 } ? Printable.Line(info.Reason) : ((StatusCode)status.Code).ToString().ToUpperInvariant(),
            Printable.Lines(status.Message),
            info is not null && info.Metadata.TryGetValue(WhatNextKey, out var next) ? Printable.Lines(next) : "")
        {
            Facts = facts ?? [],
            Fields = bad is null ? [] : [.. bad.FieldViolations.Select(v => new FieldError(Printable.Line(v.Field), Printable.Lines(v.Description)))],
        };
    }

    /// <summary>Reads the error out of a failed call: the other side's, or this side's where it is known why nothing could be sent.</summary>
    public static OperatorError FromRpc(RpcException exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return StatusOf(exception) is { } status
            ? FromStatus(status)
            : OfThisSide(exception) ?? new OperatorError(exception.StatusCode, exception.StatusCode.ToString().ToUpperInvariant(), Printable.Lines(exception.Status.Detail));
    }

    /// <summary>The wire form that came with a failed call; null when none came, or what came is none: then it was no agent that answered.</summary>
    public static RpcStatus? StatusOf(RpcException exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        try
        {
            return exception.GetRpcStatus();
        }
        catch (Exception garbage) when (garbage is InvalidProtocolBufferException or ArgumentException)
        {
            return null;
        }
    }

    // What cannot be read of the details is not told: the rest is.
    private static T? Detail<T>(RpcStatus status)
        where T : class, IMessage<T>, new()
    {
        try
        {
            return status.GetDetail<T>();
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    /// <summary>Why a call was not even sent, where what sends it says so (an <see cref="OperatorException"/>); null otherwise.</summary>
    public static OperatorError? OfThisSide(RpcException exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        for (var cause = exception.Status.DebugException; cause is not null; cause = cause.InnerException)
        {
            if (cause is OperatorException known) return known.Error;
        }

        return null;
    }

    /// <summary>
    /// The exception that a gRPC service throws to send this error. It travels in HTTP/2 trailers, of which clients take 8 KiB in all (gRPC's
    /// default max_metadata_size), so what is longer than that allows is cut.
    /// </summary>
    public RpcException ToRpcException() => Short().ToStatus().ToRpcException();

    private OperatorError Short() => this with
    {
        Message = Cut(Message, Fields.Count > 0 ? 1000 : 2000),
        WhatNext = Cut(WhatNext, 400),
        Facts = Facts.ToDictionary(f => f.Key, f => Cut(f.Value, 200)),
        Fields = ShortFields(),
    };

    private List<FieldError> ShortFields()
    {
        var shown = new List<FieldError>();
        var length = 0;
        foreach (var field in Fields.Select(f => new FieldError(Cut(f.Field, 80), Cut(f.Reason, 160))))
        {
            length += field.Field.Length + field.Reason.Length;
            if (length > MaxFieldText)
            {
                shown.Add(new FieldError("…", $"and {Fields.Count - shown.Count} more"));
                break;
            }

            shown.Add(field);
        }

        return shown;
    }

    // The beginning says what failed; the end has the last lines of whatever printed them.
    private static string Cut(string text, int most)
    {
        if (text.Length <= most) return text;
        var head = most / 3;
        return $"{text[..head]} … {text[^(most - head - 3)..]}";
    }
}

/// <summary>One field of a request that is wrong.</summary>
/// <param name="Field">Path of the field in the request: <c>spec.port</c>.</param>
/// <param name="Reason">Why it is wrong and what would be right.</param>
public sealed record FieldError(string Field, string Reason);

/// <summary>Ends a piece of work with an <see cref="OperatorError"/>; caught at the edges, never shown as a stack trace.</summary>
[SuppressMessage("Design", "CA1032:Implement standard exception constructors", Justification = "It always carries its error.")]
public sealed class OperatorException(OperatorError error, Exception? cause = null)
    : Exception(error?.Message, cause)
{
    /// <summary>What the operator is told.</summary>
    public OperatorError Error { get; } = error ?? throw new ArgumentNullException(nameof(error));
}
