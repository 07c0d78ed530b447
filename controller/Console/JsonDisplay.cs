using System.Text.Json;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;

namespace Decant.Controller.Console;

/// <summary>One JSON object for each event. Names are stable: <c>event</c>, <c>at</c>, <c>deployment</c>, <c>host</c>, <c>verb</c>, …</summary>
internal sealed class JsonDisplay(Terminal terminal) : DeploymentDisplay
{
    /// <inheritdoc/>
    public override void Show(DeploymentEvent item) => terminal.Json(writer =>
    {
        writer.WriteString("event", Name(item));
        writer.WriteString("at", item.At);
        writer.WriteString("deployment", item.Deployment.Value);
        Write(writer, item);
    });

    private static string Name(DeploymentEvent item) => item switch
    {
        PlanMade => "plan_made",
        StageStarted => "stage_started",
        StageEnded => "stage_ended",
        StepStarted => "step_started",
        StepProgressed => "step_progressed",
        StepRetried => "step_retried",
        StepEnded => "step_ended",
        HostDone => "host_done",
        HostFailed => "host_failed",
        StopRequested => "stop_requested",
        RollbackStarted => "rollback_started",
        DeploymentEnded => "deployment_ended",
        _ => throw new InvalidOperationException($"event {item.GetType().Name} has no JSON name"),
    };

    private static void Write(Utf8JsonWriter writer, DeploymentEvent item)
    {
        switch (item)
        {
            case PlanMade made:
                writer.WriteBoolean("rollback", made.IsRollback);
                writer.WriteNumber("attempt", made.Attempt);
                PlanJson.Write(writer, made.Plan);
                break;
            case StageStarted started:
                Write(writer, started.Stage);
                writer.WriteStartArray("hosts");
                foreach (var host in started.Hosts) writer.WriteStringValue(host.Value);
                writer.WriteEndArray();
                break;
            case StageEnded ended:
                Write(writer, ended.Stage);
                writer.WriteBoolean("succeeded", ended.Succeeded);
                writer.WriteNumber("seconds", ended.Elapsed.TotalSeconds);
                break;
            case StepStarted started:
                Write(writer, started.Run);
                break;
            case StepProgressed progressed:
                Write(writer, progressed.Run);
                Write(writer, progressed.Progress);
                break;
            case StepRetried retried:
                Write(writer, retried.Run);
                writer.WriteNumber("wait_seconds", retried.Wait.TotalSeconds);
                writer.WriteString("message", retried.Error.Message);
                break;
            case StepEnded ended:
                Write(writer, ended.Run);
                DeploymentRecordJson.Write(writer, ended.End);
                writer.WriteNumber("seconds", ended.Elapsed.TotalSeconds);
                break;
            case HostDone done:
                writer.WriteString("host", done.Host.Value);
                writer.WriteString("version", done.Release?.Version.Value);
                writer.WriteBoolean("rollback", done.IsRollback);
                writer.WriteNumber("seconds", done.Elapsed.TotalSeconds);
                break;
            case HostFailed failed:
                writer.WriteString("host", failed.Host.Value);
                writer.WriteBoolean("passed_over", failed.PassedOver);
                writer.WriteString("reason", failed.Failure.Error.Reason);
                writer.WriteString("message", failed.Failure.Error.Message);
                break;
            case RollbackStarted rollback:
                writer.WriteStartArray("hosts");
                foreach (var host in rollback.Hosts) writer.WriteStringValue(host.Value);
                writer.WriteEndArray();
                break;
            case DeploymentEnded ended:
                Write(writer, ended);
                break;
        }
    }

    private static void Write(Utf8JsonWriter writer, PlanStage stage)
    {
        writer.WriteString("stage", stage.Name);
        writer.WriteNumber("wave", stage.Number);
        writer.WriteBoolean("rollback", stage.IsRollback);
    }

    private static void Write(Utf8JsonWriter writer, StepRun run)
    {
        writer.WriteString("host", run.Step.Host.Value);
        writer.WriteString("verb", run.Step.Verb);
        writer.WriteString("step", run.Step.Key);
        writer.WriteString("operation", run.Operation.Value);
        writer.WriteBoolean("rollback", run.IsRollback);
    }

    private static void Write(Utf8JsonWriter writer, StepProgress progress)
    {
        switch (progress)
        {
            case StepProgress.Message message:
                writer.WriteString("message", message.Text);
                break;
            case StepProgress.Output output:
                writer.WriteString("output", output.Text);
                break;
            case StepProgress.Upload upload:
                writer.WriteNumber("sent_bytes", upload.Sent);
                writer.WriteNumber("total_bytes", upload.Total);
                break;
            case StepProgress.Draining draining:
                writer.WriteNumber("sessions", draining.Sessions);
                break;
            case StepProgress.Health health:
                writer.WriteBoolean("healthy", health.IsHealthy);
                writer.WriteNumber("successes", health.Successes);
                writer.WriteNumber("failures", health.Failures);
                writer.WriteString("last_failure", health.LastFailure);
                break;
        }
    }

    private static void Write(Utf8JsonWriter writer, DeploymentEnded ended)
    {
        writer.WriteString("status", DeploymentRecordJson.Word(ended.Outcome.Status));
        writer.WriteNumber("exit_code", (int)ended.Outcome.ExitCode);
        writer.WriteString("summary", ended.Outcome.Summary);
        writer.WriteString("what_next", ended.Outcome.WhatNext);
        writer.WriteNumber("seconds", ended.Elapsed.TotalSeconds);
        writer.WriteStartArray("hosts");
        foreach (var host in ended.Outcome.Hosts)
        {
            writer.WriteStartObject();
            writer.WriteString("host", host.Host.Value);
            writer.WriteString("position", JsonNamingPolicy.SnakeCaseLower.ConvertName(host.Position.ToString()));
            writer.WriteString("version", host.Release?.Version.Value);
            writer.WriteString("detail", host.Detail);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        if (ended.Outcome.Failure is not { } failure) return;
        writer.WriteStartObject("failure");
        Write(writer, failure.Run);
        writer.WriteString("reason", failure.Error.Reason);
        writer.WriteString("message", failure.Error.Message);
        writer.WriteString("what_next", failure.Error.WhatNext);
        writer.WriteStartArray("tail");
        foreach (var line in failure.Tail) writer.WriteStringValue(line);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
