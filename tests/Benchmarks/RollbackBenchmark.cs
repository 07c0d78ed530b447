using System.Diagnostics;
using Decant.EndToEnd.Harness;

namespace Decant.Benchmarks;

/// <summary>
/// How long a rollback takes while the old instances are still warm in the other slot: a switch back. Beside it, in the same run, the deployment that
/// it takes back, and a rollback where there is one slot and the old release has to boot. Goal: a host is switched back in under a second.
/// </summary>
internal static class RollbackBenchmark
{
    private const int Hosts = 3;

    public static async Task RunAsync(CancellationToken cancellation)
    {
        Console.WriteLine($"{Hosts} hosts one after the other; in seconds, the whole commands and, of them, each host from its first step until it has its traffic again");
        foreach (var (kind, name) in new[] { (FrontKind.Haproxy, "HAProxy"), (FrontKind.Embedded, "embedded proxy") })
        {
            foreach (var twoSlots in new[] { true, false }) await MeasureAsync(kind, $"{name}, {(twoSlots ? "two slots" : "one slot")}", twoSlots, cancellation);
        }
    }

    private static async Task MeasureAsync(FrontKind kind, string name, bool twoSlots, CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(Hosts, cancellation, kind, twoSlots);
        fleet.WriteManifest("min_healthy: 0s");
        await fleet.DeployedAsync("1.0.0", cancellation);
        var next = await DemoRelease.BuildAsync("1.1.0", fleet.Directory, cancellation);
        var deployment = await TimeAsync(fleet, cancellation, "deploy", next, "--json");
        var rollback = await TimeAsync(fleet, cancellation, "rollback", "--json");
        Console.WriteLine($"  {name,-26} deploy {deployment.Total.TotalSeconds,5:0.00}  a host {deployment.Each}");
        Console.WriteLine($"  {"",-26} back   {rollback.Total.TotalSeconds,5:0.00}  a host {rollback.Each}");
    }

    private static async Task<(TimeSpan Total, Samples Each)> TimeAsync(TestFleet fleet, CancellationToken cancellation, params string[] command)
    {
        var clock = Stopwatch.StartNew();
        var result = await fleet.DecantAsync(cancellation, command);
        var total = clock.Elapsed;
        if (result.ExitCode != 0) throw new TestException(result.Everything);
        var each = new Samples();
        foreach (var (_, time) in HostTimes.OfCutovers(result.Output)) each.Add(time);
        return (total, each);
    }
}
