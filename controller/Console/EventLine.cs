using System.Text.Json.Serialization;

namespace Decant.Controller.Console;

/// <summary>One event as a JSON object.</summary>
internal sealed record EventLine
{
    public required string Event { get; init; }

    public required DateTimeOffset At { get; init; }

    public required string Deployment { get; init; }

    public PlanLine? Plan { get; init; }

    public ReleaseLine? Release { get; init; }

    public int? Attempt { get; init; }

    public bool? Rollback { get; init; }

    public string? Stage { get; init; }

    public string? Kind { get; init; }

    public int? Wave { get; init; }

    public string? Host { get; init; }

    public IReadOnlyList<string>? Hosts { get; init; }

    public IReadOnlyList<string>? Behind { get; init; }

    public string? Step { get; init; }

    public string? Verb { get; init; }

    public string? Agent { get; init; }

    public string? Operation { get; init; }

    public string? State { get; init; }

    public string? Status { get; init; }

    public bool? Succeeded { get; init; }

    public bool? Unchanged { get; init; }

    public string? Message { get; init; }

    public string? Output { get; init; }

    public bool? IsError { get; init; }

    public long? BytesSent { get; init; }

    public long? BytesTotal { get; init; }

    public int? Sessions { get; init; }

    public int? LongLived { get; init; }

    public int? Successes { get; init; }

    public int? Failures { get; init; }

    public bool? Healthy { get; init; }

    public ErrorLine? Error { get; init; }

    public IReadOnlyList<string>? Tail { get; init; }

    public int? FailedHosts { get; init; }

    public int? Budget { get; init; }

    public bool? PassedOver { get; init; }

    public IReadOnlyList<string>? Running { get; init; }

    public IReadOnlyList<StandingLine>? Standings { get; init; }

    public double? WaitSeconds { get; init; }

    public double? Seconds { get; init; }

    public int? ExitCode { get; init; }

    public string? WhatNext { get; init; }
}

/// <summary>A release in an event.</summary>
internal sealed record ReleaseLine(string Version, string Digest);

/// <summary>An error in an event.</summary>
internal sealed record ErrorLine(string Reason, string Message, string? WhatNext, IReadOnlyDictionary<string, string>? Facts);

/// <summary>A plan: what <c>decant plan --json</c> prints, and what the first event of a deployment has.</summary>
internal sealed record PlanLine(
    string App,
    string Intent,
    ReleaseLine? Release,
    IReadOnlyList<PhaseLine> Preparation,
    IReadOnlyList<WaveLine> Waves,
    IReadOnlyList<PhaseLine> Afterwards,
    IReadOnlyList<StepLine> Completion,
    IReadOnlyList<UntouchedLine> Untouched,
    string? Remark);

/// <summary>Steps that run together while the old release serves.</summary>
internal sealed record PhaseLine(string Name, IReadOnlyList<StepLine> Steps);

/// <summary>A step in a plan.</summary>
internal sealed record StepLine(string Step, string Verb, string Host, string Description);

/// <summary>A wave in a plan.</summary>
internal sealed record WaveLine(int Number, IReadOnlyList<StepLine> Moves, IReadOnlyList<CutoverLine> Hosts, GateLine? Gate);

/// <summary>Canaries that are watched before the next wave.</summary>
internal sealed record GateLine(IReadOnlyList<string> Canaries, double BakeSeconds, string Promote, double MaxErrorPoints, double MaxSlowdown);

/// <summary>A host in a wave.</summary>
internal sealed record CutoverLine(string Host, ReleaseLine? From, ReleaseLine? To, string Why, IReadOnlyList<StepLine> Steps);

/// <summary>A host that a plan leaves alone.</summary>
internal sealed record UntouchedLine(string Host, string Why);

/// <summary>Where a host stands at the end.</summary>
internal sealed record StandingLine(string Host, string Position, ReleaseLine? Release, string Detail);

/// <summary>How events become JSON, generated: reflection is not there under native AOT.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(EventLine))]
[JsonSerializable(typeof(PlanLine))]
internal sealed partial class EventJsonContext : JsonSerializerContext;
