namespace Decant.Agent.Operations;

/// <summary>One line of an operation's progress.</summary>
/// <param name="Sequence">1, 2, 3, … within its operation.</param>
/// <param name="At">Wall clock, for people.</param>
internal abstract record OperationEvent(long Sequence, DateTimeOffset At);

/// <summary>First event: the operation as journaled before anything was done.</summary>
internal sealed record OperationStarted(long Sequence, DateTimeOffset At, OperationRecord Record) : OperationEvent(Sequence, At);

/// <summary>A sentence for people.</summary>
internal sealed record MessageReported(long Sequence, DateTimeOffset At, string Text) : OperationEvent(Sequence, At);

/// <summary>A line that the release printed.</summary>
internal sealed record OutputReported(long Sequence, DateTimeOffset At, OutputLine Line) : OperationEvent(Sequence, At);

/// <summary>What a drain waits for.</summary>
internal sealed record DrainReported(long Sequence, DateTimeOffset At, int Sessions, TimeSpan Elapsed, int LongLived = 0) : OperationEvent(Sequence, At);

/// <summary>What a health wait has seen.</summary>
internal sealed record HealthReported(long Sequence, DateTimeOffset At, HealthSeen Seen) : OperationEvent(Sequence, At);

/// <summary>Last event: the operation as journaled at its end.</summary>
internal sealed record OperationFinished(long Sequence, DateTimeOffset At, OperationRecord Record) : OperationEvent(Sequence, At);

/// <summary>A line of a release's output, without its line end.</summary>
/// <param name="Text">The line.</param>
/// <param name="IsError">Standard error.</param>
internal sealed record OutputLine(string Text, bool IsError);

/// <summary>Health as seen so far.</summary>
/// <param name="Successes">Consecutive successes.</param>
/// <param name="Failures">Consecutive failures.</param>
/// <param name="IsHealthy">By the thresholds.</param>
/// <param name="LastFailure">Why the last check failed; empty when it succeeded.</param>
internal sealed record HealthSeen(int Successes, int Failures, bool IsHealthy, string LastFailure);
