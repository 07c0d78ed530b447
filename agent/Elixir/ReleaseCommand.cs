using System.Diagnostics;
using System.Text;
using Decant.Agent.Operations;
using Decant.Agent.Supervision;

namespace Decant.Agent.Elixir;

/// <summary>How a command of a release ended.</summary>
/// <param name="ExitCode">128 + signal when a signal ended it; null when it was ended for taking too long.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="Tail">Its last lines, at most <see cref="ReleaseCommand.TailLines"/>.</param>
internal sealed record CommandEnd(int? ExitCode, TimeSpan Elapsed, IReadOnlyList<OutputLine> Tail)
{
    /// <summary>It was ended because its deadline passed.</summary>
    public bool TimedOut => ExitCode is null;

    /// <summary>It exited with 0.</summary>
    public bool Succeeded => ExitCode == 0;

    /// <summary>Its last lines as one text, for messages.</summary>
    public string TailText(int lines) => string.Join('\n', Tail.TakeLast(lines).Select(l => l.Text));
}

/// <summary>
/// Runs one command of a release (<c>bin/app eval</c>, <c>rpc</c>, <c>stop</c>) to its end. It runs in a session of its own (setsid(1)). A
/// deadline ends the whole of it: the script, the VM and what that started (<see cref="CommandTree"/>).
/// </summary>
internal static class ReleaseCommand
{
    /// <summary>How many of the last lines are kept.</summary>
    public const int TailLines = 50;

    // Longer lines are broken: fifty of them go into one event, which a gRPC client takes up to 4 MiB.
    private const int MaxLine = 8 * 1024;
    private const int SigTerm = 15;
    private const int SigKill = 9;
    private static readonly TimeSpan TermGrace = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PipeGrace = TimeSpan.FromSeconds(1);

    /// <summary>Runs the command.</summary>
    /// <param name="script">The release's script, absolute.</param>
    /// <param name="arguments">Each one is one element of argv: no shell sees them.</param>
    /// <param name="environment">All of it.</param>
    /// <param name="directory">Working directory.</param>
    /// <param name="timeout">Deadline; then SIGTERM and, 2 s later at most, SIGKILL to all of it.</param>
    /// <param name="time">The clock.</param>
    /// <param name="started">Told the process that leads its session.</param>
    /// <param name="line">Called for each line as it comes, from one thread at a time.</param>
    /// <param name="lowPriority">Nobody waits for it: it takes what processor time is left (<see cref="LowPriority"/>).</param>
    /// <param name="cancellation">Ends it as the deadline does, and throws.</param>
    public static async Task<CommandEnd> RunAsync(
        string script,
        IReadOnlyList<string> arguments,
        IReadOnlyDictionary<string, string> environment,
        string directory,
        TimeSpan timeout,
        TimeProvider time,
        Action<ProcessIdentity>? started,
        Action<OutputLine>? line,
        bool lowPriority,
        CancellationToken cancellation)
    {
        IEnumerable<string> command = ["/usr/bin/setsid", "--wait", script, .. arguments];
        if (lowPriority) command = ["/usr/bin/nice", "-n", $"{LowPriority.Nice}", .. command];
        var start = new ProcessStartInfo(command.First(), command.Skip(1))
        {
            WorkingDirectory = directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (var (name, value) in environment) start.Environment[name] = value;

        var began = time.GetTimestamp();
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{script} did not start");
        process.StandardInput.Close();
        TellStarted(process.Id, started);
        var tail = new Queue<OutputLine>();
        var gate = new Lock();
        void Take(OutputLine taken)
        {
            lock (gate)
            {
                tail.Enqueue(taken);
                if (tail.Count > TailLines) tail.Dequeue();
                line?.Invoke(taken);
            }
        }

        using var reading = new CancellationTokenSource();
        var readers = Task.WhenAll(
            ReadAsync(process.StandardOutput, isError: false, Take, reading.Token),
            ReadAsync(process.StandardError, isError: true, Take, reading.Token));

        var exited = process.WaitForExitAsync(CancellationToken.None);
        var ended = await EndsWithinAsync(exited, timeout, time, cancellation);
        if (!ended)
        {
            // setsid did not fork (it is no group leader), so the session has its pid.
            var tree = new CommandTree(process.Id);
            tree.Signal(SigTerm);
            await EndsWithinAsync(exited, TermGrace, time, CancellationToken.None);
            tree.Signal(SigKill);
            await exited;
        }

        // A grandchild that went on (a daemon of the release's own) may hold the pipes: its output is not waited for.
        if (!await EndsWithinAsync(readers, PipeGrace, time, CancellationToken.None)) await reading.CancelAsync();
        // One that ended before it was cancelled has ended: a migration that is done must not be called cancelled.
        if (!ended) cancellation.ThrowIfCancellationRequested();
        lock (gate) return new CommandEnd(ended ? process.ExitCode : null, time.GetElapsedTime(began), [.. tail]);
    }

    private static void TellStarted(int pid, Action<ProcessIdentity>? started)
    {
        if (started is null || ProcessIdentity.Of(pid) is not { } leader) return;
        try
        {
            started(leader);
        }
        catch
        {
            // Who must find it again cannot, so it must not go on.
            new CommandTree(pid).Signal(SigKill);
            throw;
        }
    }

    private static async Task<bool> EndsWithinAsync(Task task, TimeSpan limit, TimeProvider time, CancellationToken cancellation)
    {
        try
        {
            await task.WaitAsync(limit, time, cancellation);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    private static async Task ReadAsync(StreamReader reader, bool isError, Action<OutputLine> take, CancellationToken cancellation)
    {
        var buffer = new char[4096];
        var line = new StringBuilder();
        try
        {
            int count;
            while ((count = await reader.ReadAsync(buffer, cancellation)) > 0)
            {
                foreach (var c in buffer.AsSpan(0, count))
                {
                    if (c != '\n')
                    {
                        line.Append(c);
                        if (line.Length < MaxLine) continue;
                    }

                    take(new OutputLine(line.ToString().TrimEnd('\r'), isError));
                    line.Clear();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The command has ended; what a grandchild would still print is not ours.
        }

        if (line.Length > 0) take(new OutputLine(line.ToString(), isError));
    }
}
