using System.Globalization;
using Decant.Load;

// A steady load for demonstrations: decant-load URL [--fast N] [--new N] [--slow N] [--stream N] [--upload N] [--websockets N]
// Reads lines from standard input: a line begins a phase of that name; the end of the input ends the run. Prints the account; exits with
// 1 when a request failed.
if (args.Length == 0 || args.Length % 2 == 0)
{
    Console.Error.WriteLine("usage: decant-load URL [--fast RATE] [--new RATE] [--slow RATE] [--stream RATE] [--upload RATE] [--websockets CLIENTS]");
    return 2;
}

var options = new LoadOptions(new Uri(args[0]));
for (var i = 1; i < args.Length; i += 2)
{
    var rate = double.Parse(args[i + 1], CultureInfo.InvariantCulture);
    options = args[i] switch
    {
        "--fast" => options with { FastRate = rate },
        "--new" => options with { NewConnectionRate = rate },
        "--slow" => options with { SlowRate = rate },
        "--stream" => options with { StreamRate = rate },
        "--websockets" => options with { Websockets = (int)rate },
        "--upload" => options with { UploadRate = rate },
        _ => throw new ArgumentException($"unknown option {args[i]}"),
    };
}

var run = LoadRun.Start(options);
while (await Console.In.ReadLineAsync() is { } phase) run.Mark(phase);
var report = await run.StopAsync();
Console.Write(report);
return report.Failed == 0 ? 0 : 1;
