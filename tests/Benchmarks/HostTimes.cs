using System.Text.Json;

namespace Decant.Benchmarks;

/// <summary>How long each host took, from the events that <c>decant --json</c> printed.</summary>
internal static class HostTimes
{
    /// <summary>From the begin of the first of a host's steps to the end of the last of them.</summary>
    /// <param name="events">A line for each event.</param>
    /// <param name="counts">Whether a step counts, by its verb.</param>
    public static IEnumerable<(string Host, TimeSpan Time)> Of(string events, Predicate<string> counts)
        => events.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)
            .Where(e => e.TryGetProperty("verb", out var verb) && counts(verb.GetString()!) && e.TryGetProperty("host", out _))
            .GroupBy(e => e.GetProperty("host").GetString()!)
            .Select(host => (host.Key, host.Max(At) - host.Min(At)));

    private static DateTimeOffset At(JsonElement item) => item.GetProperty("at").GetDateTimeOffset();
}
