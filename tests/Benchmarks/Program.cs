using System.Runtime.InteropServices;
using Decant.Benchmarks;

// Prints what the README quotes. Each figure stands beside the alternative that it is compared with, measured in the same run.
//   dotnet run --project tests/Benchmarks -c Release [footprint|staging|deployment|rollback|proxy|comparison]
// DECANT_TEST_BIN names the directory with the native programs (packaging/publish.sh).
var benchmarks = new Dictionary<string, Func<CancellationToken, Task>>
{
    ["footprint"] = FootprintBenchmark.RunAsync,
    ["staging"] = StagingBenchmark.RunAsync,
    ["deployment"] = DeploymentBenchmark.RunAsync,
    ["rollback"] = RollbackBenchmark.RunAsync,
    ["proxy"] = ProxyBenchmark.RunAsync,
    ["comparison"] = ComparisonBenchmark.RunAsync,
};

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    stop.Cancel();
};
// What a benchmark started ends with it, also when somebody ends the benchmark.
using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
{
    signal.Cancel = true;
    stop.Cancel();
});

var chosen = args.Length == 0 ? [.. benchmarks.Keys] : args;
if (chosen.FirstOrDefault(name => !benchmarks.ContainsKey(name)) is { } unknown)
{
    Console.Error.WriteLine($"unknown benchmark \"{unknown}\"; there are {string.Join(", ", benchmarks.Keys)}");
    return 2;
}

foreach (var name in chosen)
{
    Console.WriteLine($"== {name}");
    await benchmarks[name](stop.Token);
    Console.WriteLine();
}

return 0;
