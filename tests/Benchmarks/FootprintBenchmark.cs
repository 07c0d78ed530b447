using System.Diagnostics;
using Decant.EndToEnd.Harness;

namespace Decant.Benchmarks;

/// <summary>The agent's resident memory and its time from exec to ready; goal with native AOT: at most 40 MB and 150 ms.</summary>
internal static class FootprintBenchmark
{
    private const int Rounds = 7;

    public static async Task RunAsync(CancellationToken cancellation)
    {
        var ready = new Samples();
        var resident = new Samples();
        for (var round = 0; round < Rounds; round++)
        {
            var directory = Directory.CreateTempSubdirectory("decant-bench-").FullName;
            using var ports = new FreePorts();
            await using var host = new TestHost("bench", directory, ports.Next(), ports.Next(), ports.Next(), "");
            var clock = Stopwatch.StartNew();
            await host.StartAgentAsync(cancellation);
            ready.Add(clock.Elapsed);
            await new AgentClient(host).Hosts.GetStatusAsync(new V1.GetStatusRequest(), cancellationToken: cancellation);
            resident.Add(ResidentMemory.Of(host.Agent.Pid) / 1048576.0);
        }

        Console.WriteLine($"agent {Programs.Decantd}");
        Console.WriteLine($"  exec to ready     {ready}");
        Console.WriteLine($"  resident memory   {resident.Median:0.0} MB (median of {Rounds}, after the first call)");
    }
}
