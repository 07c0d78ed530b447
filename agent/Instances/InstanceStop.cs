using Decant.Agent.Elixir;
using Decant.Agent.Operations;

namespace Decant.Agent.Instances;

/// <summary>How long each means of stopping may take.</summary>
/// <param name="Script">For the release to stop by itself after <c>bin/app stop</c>.</param>
/// <param name="Term">After SIGTERM.</param>
internal sealed record StopDeadlines(TimeSpan Script, TimeSpan Term);

/// <summary>
/// Stops one run: by its script, then SIGTERM, then SIGKILL. What is waited for is always the end of the process: the script returns a second
/// or more before the VM is gone, and a start in that second fails.
/// </summary>
internal sealed class InstanceStop(InstanceKey key, InstanceRun run, ReleaseInSlot? target, ReleaseScript script, TimeProvider time)
{
    private const int SigTerm = 15;
    private const int SigKill = 9;
    private static readonly TimeSpan KillLimit = TimeSpan.FromSeconds(10);

    private readonly long began = time.GetTimestamp();

    /// <summary>Stops it and says which means it took.</summary>
    public async Task<Stopped> RunAsync(StopDeadlines deadlines, IOperationReport report, CancellationToken cancellation)
    {
        if (await ByScriptAsync(deadlines, report, cancellation)) return await EndedAsync(StopMeans.Script);

        report.Message($"SIGTERM to pid {run.Process.Identity.Pid}");
        run.Process.Signal(SigTerm);
        // Without a script, SIGTERM is the release's first word of it: it gets the time to drain by itself.
        var patience = target is { Spec.Distribution: true } ? deadlines.Term : deadlines.Script + deadlines.Term;
        if (await EndsWithinAsync(patience, cancellation)) return await EndedAsync(StopMeans.Sigterm);

        report.Message($"still there after {patience.TotalSeconds:0.###} s: SIGKILL to pid {run.Process.Identity.Pid}");
        run.Process.Signal(SigKill);
        if (await EndsWithinAsync(KillLimit, cancellation)) return await EndedAsync(StopMeans.Sigkill);
        throw InstanceErrors.NotStopped(key, run.Process.Identity.Pid);
    }

    /// <summary>Asks the node to stop. False: the script could not reach it, or its time is over.</summary>
    private async Task<bool> ByScriptAsync(StopDeadlines deadlines, IOperationReport report, CancellationToken cancellation)
    {
        if (target is null)
        {
            report.Message("its release is no longer staged, so it is stopped by signal");
            return false;
        }

        if (!target.Spec.Distribution) return false;
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var asking = script.StopAsync(target, deadlines.Script, enough.Token);
        var first = await Task.WhenAny(asking, run.Process.Exited);
        if (first == asking && !cancellation.IsCancellationRequested)
        {
            var end = await asking;
            if (!end.Succeeded && !run.Process.Exited.IsCompleted)
            {
                report.Message($"bin/{key.App} stop failed ({(end.TimedOut ? "no answer" : $"exit code {end.ExitCode}")}): {end.TailText(1)}");
                return false;
            }
        }

        if (await EndsWithinAsync(deadlines.Script - time.GetElapsedTime(began), cancellation)) return true;
        report.Message($"it did not stop by itself within {deadlines.Script.TotalSeconds:0.###} s");
        return false;
    }

    private async Task<bool> EndsWithinAsync(TimeSpan limit, CancellationToken cancellation)
    {
        try
        {
            await run.Process.Exited.WaitAsync(limit > TimeSpan.Zero ? limit : TimeSpan.Zero, time, cancellation);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task<Stopped> EndedAsync(StopMeans means) => new(means, time.GetElapsedTime(began), (await run.Process.Exited).ExitCode);
}
