using System.Text.Json;
using System.Text.Json.Serialization;
using Decant.Controller.Fleet;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>
/// Events for machines, one JSON object a line (<c>--json</c>). Names are part of what other tooling relies on: they are added
/// to, never changed. Fields that do not apply are left out.
/// </summary>
internal static class DeploymentEventJson
{
    /// <summary>One line, without its end.</summary>
    public static string Write(DeploymentEvent item) => JsonSerializer.Serialize(ToLine(item), EventJsonContext.Default.EventLine);

    private static EventLine ToLine(DeploymentEvent item)
    {
        var line = new EventLine { Event = NameOf(item), At = item.At, Deployment = item.Deployment.Value };
        return item switch
        {
            PlanMade e => line with
            {
                App = e.Plan.App.Value,
                Release = ToJson(e.Plan.Release),
                Attempt = e.Attempt,
                Rollback = e.IsRollback,
                Waves = [.. e.Plan.Waves.Select(w => new WaveLine(w.Number, [.. w.Hosts.Select(h => new CutoverLine(
                    h.Host.Value, ToJson(h.From), ToJson(h.To), h.Why, [.. h.Steps.Select(s => s.Key)]))]))],
                Untouched = [.. e.Plan.Untouched.Select(u => new UntouchedLine(u.Host.Value, u.Why))],
            },
            StageStarted e => OfStage(line, e.Stage) with { Hosts = [.. e.Hosts.Select(h => h.Value)] },
            StageEnded e => OfStage(line, e.Stage) with { Succeeded = e.Succeeded, Seconds = e.Elapsed.TotalSeconds },
            StepStarted e => OfRun(line, e.Run) with { Message = e.Run.Step.Describe() },
            StepProgressed e => OfProgress(OfRun(line, e.Run), e.Progress),
            StepRetried e => OfRun(line, e.Run) with { Error = ToJson(e.Error), WaitSeconds = e.Wait.TotalSeconds },
            StepEnded e => OfRun(line, e.Run) with
            {
                State = Snake(e.End.State),
                Succeeded = e.End.Succeeded,
                Unchanged = e.End.Unchanged,
                Message = e.End.Detail.Length == 0 ? null : e.End.Detail,
                Error = ToJson(e.End.Error),
                Tail = e.End.Tail.Count == 0 ? null : e.End.Tail,
                Seconds = e.Elapsed.TotalSeconds,
            },
            HostDone e => line with { Host = e.Host.Value, Release = ToJson(e.Release), Rollback = e.IsRollback, Seconds = e.Elapsed.TotalSeconds },
            HostFailed e => OfRun(line, e.Failure.Run) with
            {
                State = Snake(e.Failure.State),
                Error = ToJson(e.Failure.Error),
                Tail = e.Failure.Tail.Count == 0 ? null : e.Failure.Tail,
                FailedHosts = e.FailedHosts,
                Budget = e.Budget,
                PassedOver = e.PassedOver,
            },
            StopRequested e => line with { Running = [.. e.Running.Select(r => r.Step.Key)] },
            RollbackStarted e => line with { Hosts = [.. e.Hosts.Select(h => h.Value)] },
            DeploymentEnded e => line with
            {
                Status = Snake(e.Outcome.Status),
                ExitCode = (int)e.Outcome.ExitCode,
                Message = e.Outcome.Summary,
                WhatNext = e.Outcome.WhatNext.Length == 0 ? null : e.Outcome.WhatNext,
                Standings = [.. e.Outcome.Hosts.Select(h => new StandingLine(h.Host.Value, Snake(h.Position), ToJson(h.Release), h.Detail))],
                Seconds = e.Elapsed.TotalSeconds,
            },
            _ => throw new InvalidOperationException($"event {item.GetType().Name} has no line"),
        };
    }

    private static string NameOf(DeploymentEvent item) => JsonNamingPolicy.SnakeCaseLower.ConvertName(item.GetType().Name);

    private static string Snake<T>(T value)
        where T : struct, Enum
        => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    private static EventLine OfStage(EventLine line, PlanStage stage)
        => line with { Stage = stage.Name, Kind = Snake(stage.Kind), Wave = stage.Number == 0 ? null : stage.Number, Rollback = stage.IsRollback };

    private static EventLine OfRun(EventLine line, StepRun run) => line with
    {
        Host = run.Step.Host.Value,
        Step = run.Step.Key,
        Verb = run.Step.Verb,
        Agent = run.Step.Agent.Value,
        Operation = run.Operation.Value,
        Attempt = run.Attempt,
        Rollback = run.IsRollback,
    };

    private static EventLine OfProgress(EventLine line, StepProgress progress) => progress switch
    {
        StepProgress.Message p => line with { Message = p.Text },
        StepProgress.Output p => line with { Output = p.Text, IsError = p.IsError },
        StepProgress.Upload p => line with { BytesSent = p.Sent, BytesTotal = p.Total },
        StepProgress.Draining p => line with { Sessions = p.Sessions },
        StepProgress.Health p => line with
        {
            Successes = p.Successes,
            Failures = p.Failures,
            Healthy = p.IsHealthy,
            Message = p.LastFailure.Length == 0 ? null : p.LastFailure,
        },
        _ => throw new InvalidOperationException($"progress {progress.GetType().Name} has no line"),
    };

    private static ReleaseLine? ToJson(ReleaseId? release) => release is null ? null : new ReleaseLine(release.Version.Value, release.Digest.Value);

    private static ErrorLine? ToJson(OperatorError? error) => error is null
        ? null
        : new ErrorLine(error.Reason, error.Message, error.WhatNext.Length == 0 ? null : error.WhatNext, error.Facts.Count == 0 ? null : error.Facts);
}

/// <summary>One event as a JSON object.</summary>
internal sealed record EventLine
{
    public required string Event { get; init; }

    public required DateTimeOffset At { get; init; }

    public required string Deployment { get; init; }

    public string? App { get; init; }

    public ReleaseLine? Release { get; init; }

    public int? Attempt { get; init; }

    public bool? Rollback { get; init; }

    public string? Stage { get; init; }

    public string? Kind { get; init; }

    public int? Wave { get; init; }

    public string? Host { get; init; }

    public IReadOnlyList<string>? Hosts { get; init; }

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

    public int? Successes { get; init; }

    public int? Failures { get; init; }

    public bool? Healthy { get; init; }

    public ErrorLine? Error { get; init; }

    public IReadOnlyList<string>? Tail { get; init; }

    public int? FailedHosts { get; init; }

    public int? Budget { get; init; }

    public bool? PassedOver { get; init; }

    public IReadOnlyList<string>? Running { get; init; }

    public IReadOnlyList<WaveLine>? Waves { get; init; }

    public IReadOnlyList<UntouchedLine>? Untouched { get; init; }

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

/// <summary>A wave in a plan.</summary>
internal sealed record WaveLine(int Number, IReadOnlyList<CutoverLine> Hosts);

/// <summary>A host in a wave.</summary>
internal sealed record CutoverLine(string Host, ReleaseLine? From, ReleaseLine? To, string Why, IReadOnlyList<string> Steps);

/// <summary>A host that a plan leaves alone.</summary>
internal sealed record UntouchedLine(string Host, string Why);

/// <summary>Where a host stands at the end.</summary>
internal sealed record StandingLine(string Host, string Position, ReleaseLine? Release, string Detail);

/// <summary>How events become JSON, generated: reflection is not there under native AOT.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(EventLine))]
internal sealed partial class EventJsonContext : JsonSerializerContext;
