namespace Decant.Controller.Execution;

/// <summary>
/// How an operator interrupts a deployment: once stops after the steps that are running, twice aborts those too. Commands call
/// <see cref="Request"/> for every SIGINT or SIGTERM.
/// </summary>
internal sealed class StopSignal : IDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly CancellationTokenSource abort = new();
    private int requests;

    /// <summary>Cancelled by the first request: no new step is started anywhere.</summary>
    public CancellationToken Stop => stop.Token;

    /// <summary>Cancelled by the second request: running steps are given up and their operations cancelled.</summary>
    public CancellationToken Abort => abort.Token;

    /// <summary>One more Ctrl-C.</summary>
    public void Request()
    {
        if (Interlocked.Increment(ref requests) == 1) stop.Cancel();
        else abort.Cancel();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        stop.Dispose();
        abort.Dispose();
    }
}
