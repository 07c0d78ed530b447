using System.Globalization;
using Decant.Benchmarks.Comparison;
using Decant.EndToEnd.Harness;
using Decant.Load;

namespace Decant.Benchmarks;

/// <summary>
/// The same deployment, of the same two releases to the same three hosts under the same steady load, in several ways. What each way loses stays in
/// the table. <c>DECANT_BENCH_RATE</c> is the load in requests a second (500), <c>DECANT_BENCH_ROUNDS</c> how often each way is measured (1),
/// <c>DECANT_BENCH_WAYS</c> a word that names have to have.
/// Goals at 2,000 requests/s: Decant loses none, p99 during the deployment at most 1.5 × before, unexplained time at most a tenth of Ansible's.
/// </summary>
internal static class ComparisonBenchmark
{
    /// <summary>The first seconds are the load generator's own: its code is compiled and its connections are made.</summary>
    public static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Before = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(2);

    private static readonly Way[] Ways =
    [
        new ScriptWay("stop; start from a script", "stop-start.sh", Redispatch: false),
        new ScriptWay("stop; start, redispatch", "stop-start.sh"),
        new NginxWay("nginx -s reload, blue to green"),
        new AnsibleWay("Ansible playbook, serial: 1"),
        new SshWay("Capistrano's steps over ssh"),
        new DecantWay("Decant, one slot", TwoSlots: false),
        new DecantWay("Decant, two slots", TwoSlots: true),
    ];

    public static async Task RunAsync(CancellationToken cancellation)
    {
        var rate = Setting("RATE", 500);
        var rounds = (int)Setting("ROUNDS", 1);
        var word = Environment.GetEnvironmentVariable("DECANT_BENCH_WAYS") ?? "";
        if (await MissingAsync(["haproxy", "curl"], cancellation) is { } without) throw new TestException(without);

        var own = await OwnTimes.MeasureAsync(rate, cancellation);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{rate:0} requests/s to {ComparedFleet.Count} hosts, {Environment.ProcessorCount} processors shared by everything, rounds: {rounds}"));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"the app's own time under this load: boot {own.Boot.TotalSeconds:0.00} s, stop {own.Stop.TotalSeconds:0.00} s, with requests in flight {own.BusyStop.TotalSeconds:0.00} s; three at once: boot {own.BootTogether.TotalSeconds:0.00} s, stop {own.BusyStopTogether.TotalSeconds:0.00} s"));

        var table = new List<(Way Way, string? Skipped, List<Outcome> Outcomes)>();
        foreach (var way in Ways.Where(w => w.Name.Contains(word, StringComparison.OrdinalIgnoreCase)))
            table.Add((way, await MissingAsync(way.Packages, cancellation), []));
        // Round by round, so that a busy minute of the machine does not fall on one of them alone.
        for (var round = 0; round < rounds; round++)
        {
            foreach (var (way, _, outcomes) in table.Where(row => row.Skipped is null))
                outcomes.Add(await MeasureAsync(way, own, rate, cancellation));
        }

        Print(table);
    }

    /// <summary>The load on a fleet: every kind of traffic; a request that takes a second is always under way.</summary>
    public static LoadOptions LoadOf(Uri url, double rate) => new(
        url, FastRate: rate * 0.8, NewConnectionRate: rate * 0.2, SlowRate: 3, SlowTime: TimeSpan.FromSeconds(1), StreamRate: 1, UploadRate: 1);

    private static async Task<Outcome> MeasureAsync(Way way, OwnTimes own, double rate, CancellationToken cancellation)
    {
        await using var fleet = new ComparedFleet();
        var first = await DemoRelease.BuildAsync("1.0.0", fleet.Directory, cancellation);
        var next = await DemoRelease.BuildAsync("2.0.0", fleet.Directory, cancellation, "--migrations", "4");
        await way.ServeAsync(fleet, first, cancellation);

        var load = LoadRun.Start(LoadOf(fleet.Url, rate));
        TimedRun run;
        TimeSpan drains;
        LoadReport report;
        try
        {
            await Task.Delay(WarmUp, cancellation);
            load.Mark("steady");
            await Task.Delay(Before, cancellation);
            load.Mark("deployment");
            (run, drains) = await DeployAsync(way, fleet, next, cancellation);
            // What the deployment left broken belongs to it.
            await Task.Delay(Aftermath, cancellation);
        }
        finally
        {
            report = await load.StopAsync();
        }

        if (run.ExitCode != 0) throw new TestException($"{way.Name}: exit code {run.ExitCode}\n{run.Output}");
        if (!report.Samples.TakeLast(10).All(s => s.Version == "2.0.0" || s.Failure is not null))
            throw new TestException($"{way.Name}: the new release does not serve everywhere\n{report}\n{run.Output}");
        var outcome = Outcome.Of(report, run.Took, run.Between(way.BeginsCutover, way.EndsCutover), way.Own(own), drains);
        Console.WriteLine($"  {way.Name}: {outcome}");
        foreach (var (traffic, reason, count) in report.Failures) Console.WriteLine($"    {count,6} x {traffic}: {reason}");
        return outcome;
    }

    private static async Task<(TimedRun Run, TimeSpan Drains)> DeployAsync(Way way, ComparedFleet fleet, string archive, CancellationToken cancellation)
    {
        using var over = new CancellationTokenSource();
        var watch = way.IsBehindHaproxy ? DrainWatch.SumAsync(fleet.Haproxy, over.Token) : Task.FromResult(TimeSpan.Zero);
        var run = await TimedRun.RunAsync(way.Deploy(fleet, archive), cancellation);
        await over.CancelAsync();
        return (run, await watch);
    }

    private static void Print(List<(Way Way, string? Skipped, List<Outcome> Outcomes)> table)
    {
        Console.WriteLine();
        Console.WriteLine($"  {"",-31}{"failed",7} {"of",-8}{"p99 ms",7}{"before",7}{"ratio",7}{"max ms",8}{"total s",9}{"cutovers",10}{"app's own",10}{"unexplained",12}");
        foreach (var (way, skipped, outcomes) in table)
        {
            if (skipped is not null)
            {
                Console.WriteLine($"  {way.Name,-31}skipped: {skipped}");
                continue;
            }

            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {way.Name,-31}{outcomes.Sum(o => o.Failed),7} {outcomes.Sum(o => o.Requests),-8}{Median(o => o.During),7:0.0}{Median(o => o.Before),7:0.0}{Median(o => o.Ratio),7:0.00}{outcomes.Max(o => o.Longest),8:0}{Median(o => o.Total),9:0.0}{Median(o => o.Cutovers),10:0.0}{Median(o => o.Own),10:0.0}{Median(o => o.Unexplained),12:0.00}"));

            double Median(Func<Outcome, double> of) => outcomes.Select(of).Order().ElementAt(outcomes.Count / 2);
        }

        Console.WriteLine("failed and max: of all rounds; the rest: medians. Latencies of small answers from when they were due. Cutovers: of the three hosts,");
        Console.WriteLine("staging and migration not counted. App's own: its boots and stops, by its own script without anybody who deploys, and drains, as HAProxy saw them.");
    }

    /// <summary>Installs what is missing; says why when it cannot.</summary>
    private static async Task<string?> MissingAsync(IReadOnlyList<string> packages, CancellationToken cancellation)
    {
        if (packages.Count == 0) return null;
        var result = await CommandResult.RunAsync(
            "/bin/bash", ["-c", "source packaging/prerequisites.sh && need_packages \"$@\"", "bash", .. packages], cancellation, workingDirectory: Programs.Repository);
        return result.ExitCode == 0 ? null : result.Errors.Trim().Split('\n')[^1];
    }

    private static double Setting(string name, double otherwise)
        => Environment.GetEnvironmentVariable($"DECANT_BENCH_{name}") is { Length: > 0 } text ? double.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
