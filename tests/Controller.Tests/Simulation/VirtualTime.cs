namespace Decant.Controller.Tests.Simulation;

/// <summary>What is due next happens next, one thing at a time, on the thread that asks for it. Nobody waits for a real clock.</summary>
internal sealed class VirtualTime
{
    private static readonly DateTimeOffset Origin = new(2026, 11, 24, 13, 45, 2, TimeSpan.Zero);

    private readonly PriorityQueue<Action, (long Due, long Order)> due = new();
    private long order;

    /// <summary>Since the simulation began.</summary>
    public TimeSpan Now { get; private set; }

    /// <summary>The clock on the wall.</summary>
    public DateTimeOffset UtcNow => Origin + Now;

    /// <summary>Lets something happen later. What is due at the same time happens in the order in which it was asked for.</summary>
    public void In(TimeSpan wait, Action action) => due.Enqueue(action, (Now.Ticks + Math.Max(0, wait.Ticks), order++));

    /// <summary>Lets the next thing happen; false when nothing is left to happen.</summary>
    public bool Next()
    {
        if (!due.TryDequeue(out var action, out var at)) return false;
        Now = TimeSpan.FromTicks(Math.Max(Now.Ticks, at.Due));
        action();
        return true;
    }
}

/// <summary>The clock of one controller's process: its timers end with it.</summary>
internal sealed class ControllerClock(VirtualTime time, ControllerLife life) : TimeProvider
{
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => time.UtcNow;

    public override long GetTimestamp() => time.Now.Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new VirtualTimer();
        void Arm(TimeSpan wait) => time.In(wait, () =>
        {
            if (timer.IsDisposed) return;
            life.Do(() =>
            {
                if (timer.IsDisposed) return;
                callback(state);
                if (period > TimeSpan.Zero) Arm(period);
            });
        });
        if (dueTime != Timeout.InfiniteTimeSpan) Arm(dueTime);
        return timer;
    }

    private sealed class VirtualTimer : ITimer
    {
        public bool IsDisposed { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period) => throw new NotSupportedException("nothing in the executor changes a timer");

        public void Dispose() => IsDisposed = true;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
