using System.Text.Json;

namespace Decant.EndToEnd.Harness;

/// <summary>The events that a command printed with <c>--json</c>, in order.</summary>
internal sealed class DeploymentEvents
{
    private readonly List<JsonElement> events;

    private DeploymentEvents(List<JsonElement> events) => this.events = events;

    /// <summary>Reads the lines that are events; the others are somebody's words on standard error.</summary>
    public static DeploymentEvents In(string output) => new(
        [.. output.Split('\n').Where(l => l.StartsWith("{\"event\":", StringComparison.Ordinal)).Select(l => JsonDocument.Parse(l).RootElement)]);

    /// <summary>The deployment's id.</summary>
    public string Deployment => events.Count > 0
        ? events[0].GetProperty("deployment").GetString()!
        : throw new TestException("no event was printed");

    /// <summary>The last event: how the deployment ended.</summary>
    public JsonElement End => events.Single(e => Text(e, "event") == "deployment_ended");

    /// <summary>The first step that failed: its <c>host</c>, <c>verb</c> and <c>error</c>.</summary>
    public JsonElement Failure => events.First(e => Text(e, "event") == "step_ended" && !e.GetProperty("succeeded").GetBoolean());

    /// <summary>The steps that were begun, in that order, as <c>verb host</c>; those of a rollback as <c>rollback verb host</c>.</summary>
    public IReadOnlyList<string> Steps => [.. events.Where(e => Text(e, "event") == "step_started").Select(Name)];

    /// <summary>Hosts of each wave of the plan.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Waves =>
        [.. events.First(e => Text(e, "event") == "plan_made").GetProperty("plan").GetProperty("waves").EnumerateArray()
            .Select(w => (IReadOnlyList<string>)[.. w.GetProperty("hosts").EnumerateArray().Select(h => Text(h, "host"))])];

    /// <summary>Where the event is among all; fails when it is not there.</summary>
    /// <param name="name">The event: <c>step_ended</c>.</param>
    /// <param name="verb">The step's verb; null for any.</param>
    /// <param name="host">The host; null for any.</param>
    public int IndexOf(string name, string? verb = null, string? host = null)
    {
        var index = events.FindIndex(e => Text(e, "event") == name && (verb is null || Text(e, "verb") == verb) && (host is null || Text(e, "host") == host));
        return index >= 0 ? index : throw new TestException($"there is no event {name} {verb} {host}");
    }

    /// <summary>How long a step took, the first time.</summary>
    public TimeSpan Seconds(string verb, string host) => TimeSpan.FromSeconds(
        events.First(e => Text(e, "event") == "step_ended" && Text(e, "verb") == verb && Text(e, "host") == host).GetProperty("seconds").GetDouble());

    /// <summary>Where a host stands at the end: <c>done</c>, <c>untouched</c>, <c>rolled_back</c>, …</summary>
    public string PositionOf(string host)
        => Text(End.GetProperty("standings").EnumerateArray().Single(h => Text(h, "host") == host), "position");

    private static string Name(JsonElement step)
        => $"{(step.GetProperty("rollback").GetBoolean() ? "rollback " : "")}{Text(step, "verb")} {Text(step, "host")}";

    private static string Text(JsonElement element, string name)
        => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
