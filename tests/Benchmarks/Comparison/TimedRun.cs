using System.Diagnostics;

namespace Decant.Benchmarks.Comparison;

/// <summary>A command that ran to its end, and when it printed what.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Took">From its start to its end.</param>
/// <param name="Lines">What it printed on both streams.</param>
internal sealed record TimedRun(int ExitCode, TimeSpan Took, IReadOnlyList<(TimeSpan At, string Text)> Lines)
{
    /// <summary>Everything it printed, for reports.</summary>
    public string Output => string.Join('\n', Lines.Select(l => l.Text));

    /// <summary>From the first line that begins cutovers to the last one that ends them.</summary>
    public TimeSpan Between(Func<string, bool> begins, Func<string, bool> ends)
        => Lines.Last(l => ends(l.Text)).At - Lines.First(l => begins(l.Text)).At;

    /// <summary>Runs it.</summary>
    public static async Task<TimedRun> RunAsync(DeployCommand command, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(command.Program, command.Arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = command.Directory,
        };
        foreach (var (name, value) in command.Environment) start.Environment[name] = value;
        var lines = new List<(TimeSpan, string)>();
        var clock = Stopwatch.StartNew();
        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Collect(line.Data);
        process.ErrorDataReceived += (_, line) => Collect(line.Data);
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            await process.WaitForExitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return new TimedRun(process.ExitCode, clock.Elapsed, lines);

        void Collect(string? text)
        {
            if (text is null) return;
            lock (lines) lines.Add((clock.Elapsed, text));
        }
    }
}

/// <summary>What deploys.</summary>
internal sealed record DeployCommand(string Program, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Environment, string Directory);
