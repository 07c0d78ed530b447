using System.Diagnostics;
using Decant.Benchmarks.Comparison;
using Decant.EndToEnd.Harness;

namespace Decant.Benchmarks;

/// <summary>
/// How long a rolling deployment takes for each host, and what of it the app's own exit and boot do not explain. The app's part is measured
/// in the same run, with the same release and environment, by its own script alone.
/// </summary>
internal static class DeploymentBenchmark
{
    private const int Hosts = 3;

    public static async Task RunAsync(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(Hosts, cancellation);
        fleet.WriteManifest("min_healthy: 0s");
        await fleet.DeployedAsync("1.0.0", cancellation);

        var own = new Samples();
        var archive = await DemoRelease.BuildAsync("1.0.0", fleet.Directory, cancellation);
        for (var round = 0; round < 3; round++) own.Add(await StartAndStopAloneAsync(fleet, archive, cancellation));

        var each = new Samples();
        var clock = Stopwatch.StartNew();
        var next = await DemoRelease.BuildAsync("1.1.0", fleet.Directory, cancellation);
        clock.Restart();
        var result = await fleet.DecantAsync(cancellation, "deploy", next, "--json");
        var total = clock.Elapsed;
        if (result.ExitCode != 0) throw new TestException(result.Everything);
        foreach (var (host, time) in HostTimes.Of(result.Output, verb => verb is "drain" or "undrain"))
        {
            Console.WriteLine($"  {host,-8} {time.TotalSeconds:0.000} s from the begin of its drain to the end of its undrain");
            each.Add(time);
        }

        Console.WriteLine($"deployment of {Hosts} hosts one after the other: {total.TotalSeconds:0.0} s in all, with staging, preflight and migration");
        Console.WriteLine($"  a host            {each}");
        Console.WriteLine($"  of it the app's   {own} (stop to exit, start to healthy, by its own script)");
        Console.WriteLine($"  not explained     {each.Median - own.Median:0.000} s a host");
    }

    /// <summary>The app's own time: from <c>bin/demo stop</c> until its process is gone, and from <c>start</c> until it is healthy.</summary>
    private static async Task<TimeSpan> StartAndStopAloneAsync(TestFleet fleet, string archive, CancellationToken cancellation)
    {
        using var ports = new FreePorts();
        var port = ports.Next();
        var root = Path.Combine(fleet.Directory, $"alone-{port}");
        await AppAlone.UnpackAsync(archive, root, cancellation);
        var environment = new Dictionary<string, string>
        {
            ["PORT"] = $"{port}",
            ["RELEASE_NODE"] = $"alone-{port}@127.0.0.1",
            ["RELEASE_DISTRIBUTION"] = "name",
            ["RELEASE_COOKIE"] = "alone",
            ["DEMO_DB"] = fleet.Database,
            ["DEMO_WARMUP_MS"] = "200",
        };
        await using var app = await AppAlone.StartAsync(root, environment, cancellation);
        return app.Boot + await app.StopAsync(cancellation);
    }
}
