using System.Text.Json;

namespace Decant.EndToEnd.Harness;

/// <summary>What a deployment was doing when a program came by one of its <see cref="KillPoints"/>, by the events that the controller printed.</summary>
internal static class KillPointPlace
{
    /// <summary>Of a point of an agent: the step that it worked on.</summary>
    /// <param name="output">What the controllers of the deployment printed.</param>
    /// <param name="agent">Where it listens.</param>
    /// <param name="at">When.</param>
    public static string OfAgent(string output, string agent, DateTimeOffset at)
    {
        var running = new List<string>();
        var (begun, stepped, last) = (false, false, false);
        foreach (var line in Events(output))
        {
            if (line.GetProperty("at").GetDateTimeOffset() > at) break;
            begun = true;
            var name = line.GetProperty("event").GetString();
            last = name == "deployment_ended";
            if (name is not ("step_started" or "step_ended") || line.GetProperty("agent").GetString() != agent) continue;
            stepped = true;
            var step = Step(line);
            if (name == "step_started") running.Add(step);
            else running.Remove(step);
        }

        if (running.Count > 0) return string.Join(" and ", running);
        return last ? "when it is over" : stepped ? "between its steps" : begun ? "before its first step" : "before the plan";
    }

    /// <summary>Of a point of the controller: what it had told last.</summary>
    public static string OfController(string output, DateTimeOffset at)
        => Events(output).TakeWhile(e => e.GetProperty("at").GetDateTimeOffset() <= at).LastOrDefault(e => e.GetProperty("event").GetString() is not "step_progressed")
            is { ValueKind: JsonValueKind.Object } last
                ? $"after {last.GetProperty("event").GetString()}{(last.TryGetProperty("step", out _) ? $" {Step(last)}" : "")}"
                : "before the plan";

    private static string Step(JsonElement line)
        => (line.GetProperty("rollback").GetBoolean() ? "rollback: " : "") + line.GetProperty("step").GetString();

    private static IEnumerable<JsonElement> Events(string output) => output.Split('\n')
        .Where(l => l.StartsWith("{\"event\":", StringComparison.Ordinal) && l.EndsWith('}'))
        .Select(l => JsonDocument.Parse(l).RootElement);
}
