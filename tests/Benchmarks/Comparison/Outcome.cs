using System.Globalization;
using Decant.Load;

namespace Decant.Benchmarks.Comparison;

/// <summary>What one deployment cost. Milliseconds for latencies, seconds for the rest.</summary>
/// <param name="Failed">Requests of any kind that were due during the deployment or just after it, and failed.</param>
/// <param name="Requests">How many were due.</param>
/// <param name="Rate">Requests a second that were really made.</param>
/// <param name="Before">p99 of small answers before the deployment.</param>
/// <param name="During">p99 of small answers during it.</param>
/// <param name="Longest">The longest of those.</param>
/// <param name="Total">The deployment, from the command to its end.</param>
/// <param name="Cutovers">Of it, from the begin of the first cutover to the end of the last.</param>
/// <param name="Own">Of that, what the app and its requests in flight need.</param>
internal sealed record Outcome(
    int Failed, int Requests, double Rate, double Before, double During, double Longest, double Total, double Cutovers, double Own)
{
    public double Ratio => During / Before;

    public double Unexplained => Cutovers - Own;

    public static Outcome Of(LoadReport report, TimeSpan total, TimeSpan cutovers, TimeSpan app, TimeSpan drains)
    {
        var during = report.In("deployment").ToList();
        var small = Small(during);
        return new Outcome(
            during.Count(s => s.Failure is not null),
            during.Count,
            report.Rate,
            LoadReport.Percentile(Small(report.In("steady")), 0.99).TotalMilliseconds,
            LoadReport.Percentile(small, 0.99).TotalMilliseconds,
            small.Max().TotalMilliseconds,
            total.TotalSeconds,
            cutovers.TotalSeconds,
            (app + drains).TotalSeconds);
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Failed} of {Requests} failed ({Rate:0}/s), p99 {Before:0.0} -> {During:0.0} ms, max {Longest:0} ms, {Total:0.0} s, cutovers {Cutovers:0.00} s, of it the app's own {Own:0.00} s");

    // The others take a second by design.
    private static List<TimeSpan> Small(IEnumerable<Sample> samples)
        => [.. samples.Where(s => s.Traffic is Traffic.Fast or Traffic.NewConnection).Select(s => s.Latency)];
}
