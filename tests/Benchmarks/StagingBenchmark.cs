using System.Diagnostics;
using Decant.EndToEnd.Harness;

namespace Decant.Benchmarks;

/// <summary>Upload and unpacking of a release, against <c>cp</c> plus <c>sha256sum</c> and <c>tar x</c> of the same file.</summary>
internal static class StagingBenchmark
{
    private const int Rounds = 5;

    public static async Task RunAsync(CancellationToken cancellation)
    {
        var directory = Directory.CreateTempSubdirectory("decant-bench-").FullName;
        using var ports = new FreePorts();
        await using var host = new TestHost("bench", directory, ports.Next(), ports.Next(), ports.Next(), "");
        await host.StartAgentAsync(cancellation);
        var agent = new AgentClient(host);

        var (copy, unpack, upload, stage) = (new Samples(), new Samples(), new Samples(), new Samples());
        long size = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var version = $"1.0.{round}";
            var archive = await DemoRelease.BuildAsync(version, directory, cancellation);
            size = new FileInfo(archive).Length;
            var target = Path.Combine(directory, $"copy-{round}");
            copy.Add(await TimeAsync(() => ShellAsync($"cp '{archive}' '{target}' && sha256sum '{target}' && sync '{target}'", cancellation)));
            unpack.Add(await TimeAsync(() => ShellAsync($"mkdir '{target}.d' && tar xzf '{target}' -C '{target}.d' && sync -f '{target}.d'", cancellation)));

            var bytes = await File.ReadAllBytesAsync(archive, cancellation);
            var release = AgentClient.Announce(version, bytes);
            upload.Add(await TimeAsync(() => agent.UploadAsync("demo", release, bytes, cancellation)));
            stage.Add(await TimeAsync(() => AgentClient.ResultAsync(
                agent.Releases.Stage(
                    new V1.StageRequest { Operation = AgentClient.NewOperation(), App = "demo", Release = release }, cancellationToken: cancellation),
                cancellation)));
        }

        Console.WriteLine($"release archive of {size / 1e6:0.0} MB");
        Console.WriteLine($"  cp + sha256sum + sync    {copy}");
        Console.WriteLine($"  upload                   {upload}   {copy.Median / upload.Median:0.00} x the throughput of cp + sha256sum");
        Console.WriteLine($"  tar xzf + sync           {unpack}");
        Console.WriteLine($"  stage (unpack and check) {stage}   {unpack.Median / stage.Median:0.00} x the throughput of tar");
    }

    private static async Task<TimeSpan> TimeAsync(Func<Task> work)
    {
        var clock = Stopwatch.StartNew();
        await work();
        return clock.Elapsed;
    }

    private static async Task ShellAsync(string command, CancellationToken cancellation)
    {
        var result = await CommandResult.RunAsync("/bin/sh", ["-c", command], cancellation);
        if (result.ExitCode != 0) throw new TestException(result.Everything);
    }
}
