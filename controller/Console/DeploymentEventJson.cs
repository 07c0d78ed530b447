using System.Text.Json;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Console;

/// <summary>
/// Events and plans for machines, one JSON object a line (<c>--json</c>). Names are part of what other tooling relies on: they are added
/// to, never changed. Fields that do not apply are left out.
/// </summary>
internal static class DeploymentEventJson
{
    /// <summary>An event as one line, without its end.</summary>
    public static string Write(DeploymentEvent item) => JsonSerializer.Serialize(ToLine(item), EventJsonContext.Default.EventLine);

    /// <summary>A plan as one line, without its end.</summary>
    public static string Write(Plan plan) => JsonSerializer.Serialize(ToJson(plan), EventJsonContext.Default.PlanLine);

    private static EventLine ToLine(DeploymentEvent item)
    {
        var line = new EventLine { Event = NameOf(item), At = item.At, Deployment = item.Deployment.Value };
        return item switch
        {
            PlanMade e => line with { Attempt = e.Attempt, Rollback = e.IsRollback, Plan = ToJson(e.Plan) },
            LeaseAwaited e => line with { Agent = e.Agent.Value, Message = e.Why },
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
            Recalled e => line with { Attempt = e.Attempt, Hosts = e.From, Behind = e.Behind.Count == 0 ? null : e.Behind, Message = EventText.Of(e) },
            RecordNotKept e => line with { Error = ToJson(e.Errors[0]), Message = string.Join('\n', e.Errors.Select(x => x.Message)) },
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
        StepProgress.Draining p => line with { Sessions = p.Sessions, LongLived = p.LongLived == 0 ? null : p.LongLived },
        StepProgress.Watched p => line with { Message = p.Figures, Seconds = p.Elapsed.TotalSeconds },
        StepProgress.Health p => line with
        {
            Successes = p.Successes,
            Failures = p.Failures,
            Healthy = p.IsHealthy,
            Message = p.LastFailure.Length == 0 ? null : p.LastFailure,
        },
        _ => throw new InvalidOperationException($"progress {progress.GetType().Name} has no line"),
    };

    private static PlanLine ToJson(Plan plan) => new(
        plan.App.Value,
        Snake(plan.Intent),
        ToJson(plan.Release),
        [.. plan.Preparation.Select(p => new PhaseLine(p.Name, ToJson(p.Steps)))],
        [.. plan.Waves.Select(w => new WaveLine(
            w.Number,
            ToJson(w.Moves),
            [.. w.Hosts.Select(h => new CutoverLine(h.Host.Value, ToJson(h.From), ToJson(h.To), h.Why, ToJson(h.Steps)))],
            ToJson(w.Gate)))],
        [.. plan.Afterwards.Select(p => new PhaseLine(p.Name, ToJson(p.Steps)))],
        ToJson(plan.Completion),
        [.. plan.Untouched.Select(u => new UntouchedLine(u.Host.Value, u.Why))],
        plan.Remark);

    private static IReadOnlyList<StepLine> ToJson(IEnumerable<Step> steps) => [.. steps.Select(s => new StepLine(s.Key, s.Verb, s.Host.Value, s.Describe()))];

    private static GateLine? ToJson(CanaryGate? gate) => gate is null ? null : new GateLine(
        [.. gate.Canaries.Select(c => c.Name.Value)],
        gate.Policy.Bake.TotalSeconds,
        Snake(gate.Policy.Promote),
        gate.Policy.Tolerance.ErrorPoints,
        gate.Policy.Tolerance.Slowdown);

    private static ReleaseLine? ToJson(ReleaseId? release) => release is null ? null : new ReleaseLine(release.Version.Value, release.Digest.Value);

    private static ErrorLine? ToJson(OperatorError? error) => error is null
        ? null
        : new ErrorLine(error.Reason, error.Message, error.WhatNext.Length == 0 ? null : error.WhatNext, error.Facts.Count == 0 ? null : error.Facts);
}
