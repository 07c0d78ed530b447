using Microsoft.Extensions.Time.Testing;

namespace Decant.Agent.Tests;

/// <summary>Time that moves when the test says so, with a clock on the wall that somebody sets.</summary>
internal sealed class JumpingTime : TimeProvider
{
    /// <summary>How time really passes.</summary>
    public FakeTimeProvider Real { get; } = new(new DateTimeOffset(2026, 11, 26, 12, 0, 0, TimeSpan.Zero));

    /// <summary>How far the clock on the wall was set.</summary>
    public TimeSpan Jump { get; set; }

    public override long TimestampFrequency => Real.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => Real.GetUtcNow() + Jump;

    public override long GetTimestamp() => Real.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => Real.CreateTimer(callback, state, dueTime, period);
}
