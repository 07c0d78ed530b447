using System.Text.Json;
using Decant.Controller.Planning;

namespace Decant.Controller.Console;

/// <summary>Plans for machines.</summary>
internal static class PlanJson
{
    /// <summary>Writes a plan's members into the open object.</summary>
    public static void Write(Utf8JsonWriter writer, Plan plan)
    {
        writer.WriteString("app", plan.App.Value);
        writer.WriteString("intent", plan.Intent.ToString().ToLowerInvariant());
        writer.WriteString("version", plan.Release?.Version.Value);
        writer.WriteString("digest", plan.Release?.Digest.Value);
        writer.WriteStartArray("preparation");
        foreach (var phase in plan.Preparation)
        {
            writer.WriteStartObject();
            writer.WriteString("name", phase.Name);
            Steps(writer, phase.Steps);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartArray("waves");
        foreach (var wave in plan.Waves)
        {
            writer.WriteStartObject();
            writer.WriteNumber("number", wave.Number);
            writer.WriteStartArray("hosts");
            foreach (var host in wave.Hosts)
            {
                writer.WriteStartObject();
                writer.WriteString("host", host.Host.Value);
                writer.WriteString("from", host.From?.Version.Value);
                writer.WriteString("to", host.To?.Version.Value);
                writer.WriteString("why", host.Why);
                Steps(writer, host.Steps);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartArray("untouched");
        foreach (var host in plan.Untouched)
        {
            writer.WriteStartObject();
            writer.WriteString("host", host.Host.Value);
            writer.WriteString("why", host.Why);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void Steps(Utf8JsonWriter writer, IEnumerable<Step> steps)
    {
        writer.WriteStartArray("steps");
        foreach (var step in steps) writer.WriteStringValue(step.Describe());
        writer.WriteEndArray();
    }
}
