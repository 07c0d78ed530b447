namespace Decant.Controller.Tests.Execution;

/// <summary>
/// Decides who goes next in a simulation: everything that waits waits here, on one thread, and a seeded choice lets one go on at a
/// time. The same seed gives the same run. Its clock leaps to when a timer is due.
/// </summary>
internal sealed class Turns(int seed) : TimeProvider
{
    private static readonly DateTimeOffset Origin = new(2026, 11, 24, 13, 45, 2, TimeSpan.Zero);

    private readonly Random random = new(seed);
    private readonly List<Action> waiting = [];
    private TimeSpan elapsed;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Called whenever somebody asks for the time: also where no event tells of it.</summary>
    public Action? OnClock { get; set; }

    public override DateTimeOffset GetUtcNow()
    {
        OnClock?.Invoke();
        return Origin + elapsed;
    }

    public override long GetTimestamp() => elapsed.Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var due = elapsed + dueTime;
        var timer = new Leap();
        waiting.Add(() =>
        {
            if (timer.IsDisposed) return;
            if (due > elapsed) elapsed = due;
            callback(state);
        });
        return timer;
    }

    /// <summary>Waits for a turn.</summary>
    public Task NextAsync(CancellationToken cancellation)
    {
        var turn = new TaskCompletionSource();
        waiting.Add(() => turn.TrySetResult());
        return turn.Task.WaitAsync(cancellation);
    }

    /// <summary>Lets one after the other go on until the work is done.</summary>
    public T Run<T>(Task<T> work)
    {
        while (!work.IsCompleted)
        {
            Assert.That(waiting, Is.Not.Empty, "everybody waits for something that will never come");
            var next = random.Next(waiting.Count);
            var go = waiting[next];
            waiting.RemoveAt(next);
            elapsed += TimeSpan.FromMilliseconds(1);
            go();
        }

        return work.GetAwaiter().GetResult();
    }

    private sealed class Leap : ITimer
    {
        public bool IsDisposed { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period) => false;

        public void Dispose() => IsDisposed = true;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
