using System.Text.Json;
using Decant.Controller.Execution;

namespace Decant.Controller.Console;

/// <summary>The journal's deployments and steps for machines.</summary>
internal static class DeploymentRecordJson
{
    /// <summary>Writes a deployment's members into the open object.</summary>
    public static void Write(Utf8JsonWriter writer, DeploymentRecord record)
    {
        writer.WriteString("deployment", record.Id.Value);
        writer.WriteString("app", record.App.Value);
        writer.WriteString("intent", Snake(record.Intent));
        writer.WriteString("version", record.Release?.Version.Value);
        writer.WriteString("digest", record.Release?.Digest.Value);
        writer.WriteString("status", Snake(record.Status));
        writer.WriteNumber("attempt", record.Attempt);
        writer.WriteString("started_at", record.StartedAt);
        if (record.EndedAt is { } ended) writer.WriteString("ended_at", ended);
        writer.WriteString("user", record.Holder.User);
        if (record.Holder.Machine.Length > 0) writer.WriteString("machine", record.Holder.Machine);
        writer.WriteString("message", record.Message);
        writer.WriteString("what_next", record.WhatNext);
    }

    /// <summary>Writes a step's members into the open object.</summary>
    public static void Write(Utf8JsonWriter writer, StepRecord step)
    {
        writer.WriteString("step", step.Key);
        writer.WriteString("host", step.Host.Value);
        writer.WriteString("verb", step.Verb);
        writer.WriteString("operation", step.Operation.Value);
        writer.WriteNumber("attempt", step.Attempt);
        writer.WriteBoolean("rollback", step.IsRollback);
        writer.WriteString("began_at", step.BeganAt);
        if (step.EndedAt is { } ended) writer.WriteString("ended_at", ended);
        if (step.End is { } end) Write(writer, end);
    }

    /// <summary>Writes how a step ended into the open object.</summary>
    public static void Write(Utf8JsonWriter writer, StepEnd end)
    {
        writer.WriteString("state", Snake(end.State));
        writer.WriteBoolean("unchanged", end.Unchanged);
        writer.WriteString("detail", end.Detail);
        if (end.Error is not { } error) return;
        writer.WriteString("reason", error.Reason);
        writer.WriteString("message", error.Message);
        writer.WriteString("what_next", error.WhatNext);
    }

    private static string Snake<T>(T value)
        where T : struct, Enum
        => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}
