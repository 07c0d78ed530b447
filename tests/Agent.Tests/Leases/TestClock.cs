namespace Decant.Agent.Tests.Leases;

/// <summary>A wall clock and a monotonic one, each set by hand.</summary>
internal sealed class TestClock : TimeProvider
{
    public DateTimeOffset Wall { get; set; } = new(2026, 11, 24, 12, 0, 0, TimeSpan.Zero);

    public TimeSpan Monotonic { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => Wall;

    public override long GetTimestamp() => Monotonic.Ticks;
}
