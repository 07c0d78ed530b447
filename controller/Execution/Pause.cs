namespace Decant.Controller.Execution;

/// <summary>
/// Waits by a clock. Unlike <see cref="Task.Delay(TimeSpan, TimeProvider, CancellationToken)"/>, which completes on a thread of the pool when it is
/// cancelled, this goes on where it is cancelled: what happens in a deployment happens in one order, which a simulation can play again.
/// </summary>
internal static class Pause
{
    /// <summary>Waits.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="duration">How long; not waited for at all when it is not positive.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public static async Task ForAsync(this TimeProvider time, TimeSpan duration, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (duration <= TimeSpan.Zero) return;
        var over = new TaskCompletionSource();
        await using var timer = time.CreateTimer(_ => over.TrySetResult(), null, duration, Timeout.InfiniteTimeSpan);
        await using var registration = cancellation.Register(() => over.TrySetCanceled(cancellation));
        await over.Task;
    }
}
