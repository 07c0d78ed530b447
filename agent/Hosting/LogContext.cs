using Serilog.Events;

namespace Decant.Agent.Hosting;

/// <summary>What a line of the log belongs to and does not say itself, for people: <c>[web1 d-42 shop/main]</c>.</summary>
internal static class LogContext
{
    /// <summary>The host's name in agent.yml.</summary>
    public const string Host = "Host";

    private static readonly string[] Properties = [Host, "Deployment", "App", "Slot"];

    /// <summary>Writes the context and a space.</summary>
    public static void Write(LogEvent logEvent, TextWriter output)
    {
        var values = Properties.Select(p => Text(logEvent, p)).ToArray();
        output.Write('[');
        output.Write(values[0]);
        if (values[1].Length > 0) output.Write($" {values[1]}");
        if (values[2].Length > 0) output.Write($" {values[2]}");
        if (values[3].Length > 0) output.Write($"/{values[3]}");
        output.Write("] ");
    }

    private static string Text(LogEvent logEvent, string property)
        => logEvent.Properties.GetValueOrDefault(property) is ScalarValue { Value: { } value } ? value.ToString() ?? "" : "";
}
