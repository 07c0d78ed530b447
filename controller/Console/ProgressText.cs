using System.Globalization;
using System.Text.Json;
using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Console;

/// <summary>Where an unfinished deployment stands.</summary>
internal static class ProgressText
{
    /// <summary>For people: the migration, then a line for each host.</summary>
    public static IEnumerable<string> Of(DeploymentRecord record, IReadOnlyList<StepRecord> steps, DeploymentManifest manifest)
    {
        if (record.Intent == PlanIntent.Deploy && manifest.Migrations is not null) yield return $"migration: {Migration(steps.LastOrDefault(s => s.Verb == "migrate"))}";
        foreach (var progress in HostProgress.Of(record, steps, manifest)) yield return $"{progress.Cutover.Host}: {Of(progress)}";
    }

    /// <summary>A host for machines, as an object.</summary>
    public static void Write(Utf8JsonWriter writer, HostProgress progress)
    {
        writer.WriteStartObject();
        writer.WriteString("host", progress.Cutover.Host.Value);
        writer.WriteString("stage", JsonNamingPolicy.SnakeCaseLower.ConvertName(progress.Stage.ToString()));
        writer.WriteString("from", progress.Cutover.From?.ToString());
        writer.WriteString("to", progress.Cutover.To?.ToString());
        if (progress.Last is { } last)
        {
            writer.WriteString("last_step", last.Key);
            writer.WriteBoolean("last_step_ended", last.End is not null);
        }

        writer.WriteStartArray("out_of_rotation_at");
        foreach (var balancer in progress.Out) writer.WriteStringValue(balancer.Value);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static string Of(HostProgress progress) => progress.Stage switch
    {
        HostStage.NotBegun => $"not begun, ran {Shown(progress.Cutover.From)} before",
        HostStage.CutOver => progress.Cutover.To is { } to ? $"cut over to {to.Version}" : "is empty, as it was to be",
        HostStage.Back => $"back to {Shown(progress.Cutover.From)}",
        HostStage.HalfWay => $"half-way from {Shown(progress.Cutover.From)} to {Shown(progress.Cutover.To)}, {Last(progress)}",
        HostStage.HalfWayBack => $"on its way back to {Shown(progress.Cutover.From)}, {Last(progress)}",
        _ => throw new InvalidOperationException($"stage {progress.Stage} is not known"),
    };

    private static string Last(HostProgress progress)
        => $"{How(progress.Last!)}{(progress.Out.Count > 0 ? $"; out of rotation at {string.Join(", ", progress.Out)}" : "")}";

    private static string How(StepRecord step) => step.End switch
    {
        null => string.Create(CultureInfo.InvariantCulture, $"in the middle of: {step.Description} (begun {step.BeganAt:HH:mm:ss}, its end is not known)"),
        { Succeeded: true } => $"after: {step.Description}",
        { Error: var error } => $"failed at: {step.Description}: {error?.Message}",
    };

    private static string Migration(StepRecord? step) => step?.End switch
    {
        null when step is null => "not begun",
        null => string.Create(CultureInfo.InvariantCulture, $"begun on {step.Host} at {step.BeganAt:HH:mm:ss}, its end is not known here; the agent of {step.Host} knows"),
        { Succeeded: true } => $"done, on {step.Host}",
        { Error: var error } => $"failed on {step.Host}: {error?.Message}",
    };

    private static string Shown(ReleaseId? release) => release?.Version.Value ?? "nothing";
}
