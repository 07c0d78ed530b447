using System.Text.Json;

namespace Decant.Benchmarks;

/// <summary>How long each host took, from the events that <c>decant --json</c> printed.</summary>
internal static class HostTimes
{
    /// <summary>From the begin of the first of a host's steps to the end of the last of them.</summary>
    /// <param name="events">A line for each event.</param>
    /// <param name="counts">Whether a step counts, by its verb.</param>
    public static IEnumerable<(string Host, TimeSpan Time)> Of(string events, Predicate<string> counts)
        => StepsByHost(events, counts).Select(host => (host.Key, host.Max(At) - host.Min(At)));

    /// <summary>From the begin of a host's first step until it has its traffic again: what is stopped or kept warm after that holds nobody up.</summary>
    public static IEnumerable<(string Host, TimeSpan Time)> OfCutovers(string events)
        => StepsByHost(events, verb => verb is not ("stage" or "preflight" or "migrate"))
            .Select(host => (host.Key, host.Where(e => Verb(e) is "move" or "undrain").Max(At) - host.Min(At)));

    private static IEnumerable<IGrouping<string, JsonElement>> StepsByHost(string events, Predicate<string> counts)
        => events.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)
            .Where(e => e.TryGetProperty("verb", out _) && e.TryGetProperty("host", out _) && counts(Verb(e)))
            .GroupBy(e => e.GetProperty("host").GetString()!);

    private static string Verb(JsonElement item) => item.GetProperty("verb").GetString()!;

    private static DateTimeOffset At(JsonElement item) => item.GetProperty("at").GetDateTimeOffset();
}
