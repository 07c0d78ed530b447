using System.Globalization;
using System.Text;

namespace Decant.Load;

/// <summary>The account of a run.</summary>
/// <param name="Samples">Every request.</param>
/// <param name="Marks">Phases by their begin.</param>
/// <param name="Duration">Of the run.</param>
/// <param name="MaxInFlight">Most requests at once.</param>
/// <param name="WebsocketEnds">Websockets that their clients did not end.</param>
public sealed record LoadReport(
    IReadOnlyList<Sample> Samples,
    IReadOnlyList<(string Name, TimeSpan At)> Marks,
    TimeSpan Duration,
    int MaxInFlight,
    IReadOnlyList<WebsocketEnd> WebsocketEnds)
{
    /// <summary>Requests that failed.</summary>
    public int Failed => Samples.Count(s => s.Failure is not null);

    /// <summary>Requests that were sent twice.</summary>
    public int Repeated => Samples.Count(s => s.Repeated);

    /// <summary>Failures by kind of traffic and reason, most frequent first.</summary>
    public IReadOnlyList<(Traffic Traffic, string Reason, int Count)> Failures =>
        [.. Samples.Where(s => s.Failure is not null)
            .GroupBy(s => (s.Traffic, s.Failure))
            .Select(g => (g.Key.Traffic, g.Key.Failure!, g.Count()))
            .OrderByDescending(f => f.Item3)];

    /// <summary>Requests a second over the whole run.</summary>
    public double Rate => Samples.Count / Duration.TotalSeconds;

    /// <summary>Requests that were due in a phase.</summary>
    public IEnumerable<Sample> In(string phase)
    {
        for (var i = 0; i < Marks.Count; i++)
        {
            if (Marks[i].Name != phase) continue;
            var end = i + 1 < Marks.Count ? Marks[i + 1].At : TimeSpan.MaxValue;
            var begin = Marks[i].At;
            foreach (var sample in Samples.Where(s => s.At >= begin && s.At < end)) yield return sample;
        }
    }

    /// <summary>Versions that answered in a phase.</summary>
    public IReadOnlySet<string> VersionsIn(string phase) => In(phase).Select(s => s.Version).Where(v => v.Length > 0).ToHashSet();

    /// <summary>A percentile by the nearest rank, 0 for no values.</summary>
    /// <param name="values">In any order.</param>
    /// <param name="share">0 to 1.</param>
    public static TimeSpan Percentile(IEnumerable<TimeSpan> values, double share)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? TimeSpan.Zero : sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Count) - 1, 0, sorted.Count - 1)];
    }

    /// <summary>For people.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        Line(text, $"{Samples.Count} requests in {Duration.TotalSeconds:0.0} s ({Rate:0}/s, at most {MaxInFlight} at once): {Failed} failed");
        foreach (var (traffic, reason, count) in Failures) Line(text, $"  {count,6} x {traffic}: {reason}");
        if (Repeated > 0) Line(text, $"  {Repeated} were sent again: the kept connection was reset before a byte of the answer came");
        if (WebsocketEnds.Count > 0)
        {
            var closed = WebsocketEnds.Count(e => e.Kind == WebsocketEndKind.Closed);
            Line(text, $"  {closed} websockets were closed and {WebsocketEnds.Count - closed} cut; their clients connected again");
        }

        Line(text, $"  {"phase",-12}{"traffic",-15}{"requests",9}{"failed",8}{"p50 ms",9}{"p99 ms",9}{"max ms",9}");
        foreach (var (phase, _) in Marks)
        {
            foreach (var group in In(phase).GroupBy(s => s.Traffic).OrderBy(g => g.Key))
            {
                var latencies = group.Select(s => s.Latency).ToList();
                var (p50, p99, max) = (Percentile(latencies, 0.5), Percentile(latencies, 0.99), latencies.Max());
                Line(
                    text,
                    $"  {phase,-12}{group.Key,-15}{latencies.Count,9}{group.Count(s => s.Failure is not null),8}{p50.TotalMilliseconds,9:0.0}{p99.TotalMilliseconds,9:0.0}{max.TotalMilliseconds,9:0.0}");
            }
        }

        Line(text, $"  versions over time (answers in each second)");
        string? last = null;
        foreach (var second in Samples.Where(s => s.Version.Length > 0).GroupBy(s => (int)(s.At + s.Latency).TotalSeconds).OrderBy(g => g.Key))
        {
            var versions = second.GroupBy(s => s.Version).OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
            var names = string.Join(' ', versions.Select(v => v.Key));
            if (names != last || versions.Count > 1) Line(text, $"  {second.Key,5} s  {string.Join("  ", versions.Select(v => $"{v.Key}: {v.Count()}"))}");
            last = names;
        }

        return text.ToString();
    }

    private static void Line(StringBuilder text, FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
