using Decant.Agent.Operations;

namespace Decant.Agent.Instances;

/// <content>How a slot whose traffic has gone elsewhere is kept warm, and stopped when its time is over.</content>
internal sealed partial class InstanceSlot
{
    /// <summary>Lets what runs go on for a while, then stops it.</summary>
    /// <param name="keep">How long; zero: it is stopped now.</param>
    /// <param name="deadlines">How it is stopped.</param>
    /// <param name="report">Told how the stop gets on.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<OperationResult> RetireAsync(TimeSpan keep, StopDeadlines deadlines, IOperationReport report, CancellationToken cancellation)
    {
        if (keep == TimeSpan.Zero) return await StopAsync(deadlines, goneBackFrom: false, report, cancellation);
        await changing.WaitAsync(cancellation);
        try
        {
            if (Run is not { Ended.IsCompleted: false })
            {
                // It died meanwhile, and need not come back.
                CancelRestart();
                if (record.Wanted) Change(r => r with { Wanted = false, Retirement = null });
                return new Done(Unchanged: true);
            }

            var retirement = new Retirement(parts.Time.GetUtcNow() + keep, keep, deadlines);
            Change(r => r with { Retirement = retirement });
            ScheduleRetirement(retirement);
            LogRetires(Key, retirement.At);
            return new Done();
        }
        finally
        {
            changing.Release();
        }
    }

    /// <summary>Calls a retirement off.</summary>
    /// <exception cref="Errors.OperatorException">NOT_RUNNING: it was stopped, or died, meanwhile.</exception>
    public async Task<Done> KeepAsync(CancellationToken cancellation)
    {
        await changing.WaitAsync(cancellation);
        try
        {
            if (Run is not { Ended.IsCompleted: false }) throw InstanceErrors.NotRunning(Key);
            if (record.Retirement is null) return new Done(Unchanged: true);
            CancelRetirement();
            Change(r => r with { Retirement = null });
            return new Done();
        }
        finally
        {
            changing.Release();
        }
    }

    private void ScheduleRetirement(Retirement retirement)
    {
        CancellationToken cancelled;
        lock (gate)
        {
            retiring.Cancel();
            retiring.Dispose();
            retiring = new CancellationTokenSource();
            cancelled = retiring.Token;
        }

        _ = Task.Run(
            async () =>
            {
                try
                {
                    var left = retirement.Left(parts.Time.GetUtcNow());
                    if (left > TimeSpan.Zero) await Task.Delay(left, parts.Time, cancelled);
                    await StopRetiredAsync(retirement, cancelled);
                }
                catch (OperationCanceledException)
                {
                    // Called off, or the agent stops: the next one goes on with it.
                }
                catch (Errors.OperatorException exception)
                {
                    LogNotRetired(Key, exception.Error.Message);
                }
            },
            CancellationToken.None);
    }

    private async Task StopRetiredAsync(Retirement retirement, CancellationToken cancellation)
    {
        await changing.WaitAsync(cancellation);
        try
        {
            if (record.Retirement != retirement) return;
            await StopPresentAsync(retirement.Deadlines, SilentReport.Instance, CancellationToken.None);
        }
        finally
        {
            changing.Release();
        }
    }

    private void CancelRetirement()
    {
        lock (gate) retiring.Cancel();
    }
}
