using System.Diagnostics;
using System.Text;

namespace Decant.EndToEnd.Harness;

/// <summary>A program that a test started: its output is kept for the report, and it is gone when the test ends.</summary>
internal sealed class RunningProgram : IAsyncDisposable
{
    private readonly Process process;
    private readonly StringBuilder output = new();
    private readonly List<(Func<string, bool> IsIt, TaskCompletionSource<string> Seen)> awaited = [];

    private RunningProgram(Process process)
    {
        this.process = process;
        process.OutputDataReceived += (_, line) => Collect(line.Data);
        process.ErrorDataReceived += (_, line) => Collect(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public int Pid => process.Id;

    public bool HasExited => process.HasExited;

    public string Output
    {
        get
        {
            lock (output) return output.ToString();
        }
    }

    public static RunningProgram Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        // A shell that starts the tests in the background has them, and all that they start, ignore Ctrl-C: env takes that back.
        var start = new ProcessStartInfo("env", ["--default-signal=INT,QUIT", program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start");
        process.StandardInput.Close();
        return new RunningProgram(process);
    }

    /// <summary>Waits until the program prints a line with this text; fails when it ends before that.</summary>
    public Task<string> WaitForLineAsync(string text, CancellationToken cancellation) => WaitForLineAsync(text, "", cancellation);

    /// <summary>The same, for a line that has both texts.</summary>
    public async Task<string> WaitForLineAsync(string text, string another, CancellationToken cancellation)
    {
        var seen = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (output)
        {
            if (output.ToString().Split('\n').FirstOrDefault(IsIt) is { } line) return line;
            awaited.Add((IsIt, seen));
        }

        bool IsIt(string line) => line.Contains(text, StringComparison.Ordinal) && line.Contains(another, StringComparison.Ordinal);

        var exit = process.WaitForExitAsync(cancellation);
        if (await Task.WhenAny(seen.Task, exit) == seen.Task) return await seen.Task;
        await exit;
        return seen.Task.IsCompletedSuccessfully
            ? await seen.Task
            : throw new TestException($"ended with exit code {process.ExitCode} before it printed \"{text}\":\n{Output}");
    }

    /// <summary>Waits until a command that runs with --json begins a step: <c>web1/stop</c>.</summary>
    public Task StepBegunAsync(string step, CancellationToken cancellation)
        => WaitForLineAsync("\"event\":\"step_started\"", $"\"step\":\"{step}\"", cancellation);

    /// <summary>Waits for its end.</summary>
    public async Task<int> WaitForExitAsync(CancellationToken cancellation)
    {
        await process.WaitForExitAsync(cancellation);
        return process.ExitCode;
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        if (!process.HasExited) process.Kill();
        await process.WaitForExitAsync(CancellationToken.None);
    }

    /// <summary>Sends a signal by name: <c>TERM</c>, <c>INT</c>, <c>USR2</c>.</summary>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("/bin/kill", [$"-{signal}", $"{Pid}"])!;
        await kill.WaitForExitAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        process.Dispose();
    }

    private void Collect(string? line)
    {
        if (line is null) return;
        lock (output)
        {
            output.Append(line).Append('\n');
            foreach (var (isIt, seen) in awaited)
            {
                if (isIt(line)) seen.TrySetResult(line);
            }
        }
    }
}
