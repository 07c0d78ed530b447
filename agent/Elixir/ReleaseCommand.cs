using System.Diagnostics;
using Decant.Agent.Operations;
using Decant.Agent.Supervision;

namespace Decant.Agent.Elixir;

/// <summary>
/// Runs one command of a release (<c>bin/app eval</c>, <c>rpc</c>, <c>stop</c>) to its end. It runs in a session of its own (setsid(1)). A
/// deadline ends the whole of it: the script, the VM and what that started (<see cref="CommandTree"/>).
/// </summary>
internal static class ReleaseCommand
{
    private const int SigTerm = 15;
    private const int SigKill = 9;
    private static readonly TimeSpan TermGrace = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PipeGrace = TimeSpan.FromSeconds(1);

    /// <summary>Runs the command.</summary>
    /// <param name="order">What.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Ends it as the deadline does, and throws.</param>
    public static async Task<CommandEnd> RunAsync(CommandOrder order, TimeProvider time, CancellationToken cancellation)
    {
        IEnumerable<string> command = ["/usr/bin/setsid", "--wait", order.Program, .. order.Arguments];
        if (order.LowPriority) command = ["/usr/bin/nice", "-n", $"{LowPriority.Nice}", .. command];
        var start = new ProcessStartInfo(command.First(), command.Skip(1))
        {
            WorkingDirectory = order.Directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (var (name, value) in order.Environment) start.Environment[name] = value;

        var began = time.GetTimestamp();
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{order.Program} did not start");
        process.StandardInput.Close();
        TellStarted(process.Id, order.Started);
        var output = new CommandOutput(order.Line);
        using var reading = new CancellationTokenSource();
        var readers = Task.WhenAll(
            output.ReadAsync(process.StandardOutput, isError: false, reading.Token),
            output.ReadAsync(process.StandardError, isError: true, reading.Token));

        var exited = process.WaitForExitAsync(CancellationToken.None);
        var ended = await EndsWithinAsync(exited, order.Timeout, time, cancellation);
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
        return new CommandEnd(ended ? process.ExitCode : null, time.GetElapsedTime(began), output.Tail());
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
}
