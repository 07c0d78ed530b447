using Decant.Names;

namespace Decant.Agent.Operations;

/// <summary>An operation that runs, or that ended and is remembered: its record and its events.</summary>
internal sealed class RunningOperation : IOperationReport
{
    private readonly TimeProvider time;
    private readonly OperationLog log;
    private readonly long began;
    private volatile OperationRecord record;

    /// <summary>One that begins now.</summary>
    public RunningOperation(OperationRecord record, TimeProvider time)
    {
        this.record = record;
        this.time = time;
        began = time.GetTimestamp();
        log = new OperationLog();
        log.Add(sequence => new OperationStarted(sequence, record.StartedAt, record));
    }

    /// <summary>One that ended before.</summary>
    public RunningOperation(OperationRecord record, IEnumerable<OperationEvent> events, TimeProvider time)
    {
        this.record = record;
        this.time = time;
        log = new OperationLog(events);
    }

    /// <summary>As journaled; replaced when it ends.</summary>
    public OperationRecord Record => record;

    /// <inheritdoc/>
    public OperationId Id => record.Id;

    /// <inheritdoc/>
    public DeploymentId? Deployment => record.Deployment;

    /// <summary>How long it runs, whatever is done to the clock on the wall. Of one that runs only.</summary>
    public TimeSpan Elapsed => time.GetElapsedTime(began);

    /// <summary>Why it was asked to stop early; null when it was not.</summary>
    public string? CancelReason { get; private set; }

    /// <summary>Cancelled when it is asked to stop early or the agent stops.</summary>
    internal CancellationTokenSource Cancellation { get; } = new();

    /// <summary>Its events behind a sequence number, then those to come; ends with <see cref="OperationFinished"/>.</summary>
    public IAsyncEnumerable<OperationEvent> FollowAsync(long after, CancellationToken cancellation) => log.FollowAsync(after, cancellation);

    /// <inheritdoc/>
    public void Message(string text) => log.Add(sequence => new MessageReported(sequence, time.GetUtcNow(), text));

    /// <inheritdoc/>
    public void Output(OutputLine line) => log.Add(sequence => new OutputReported(sequence, time.GetUtcNow(), line));

    /// <inheritdoc/>
    public void Draining(int sessions, TimeSpan elapsed, int longLived = 0)
        => log.Add(sequence => new DrainReported(sequence, time.GetUtcNow(), sessions, elapsed, longLived));

    /// <inheritdoc/>
    public void Health(HealthSeen seen) => log.Add(sequence => new HealthReported(sequence, time.GetUtcNow(), seen));

    /// <summary>Asks it to stop at the next safe point.</summary>
    public void Cancel(string reason)
    {
        CancelReason ??= reason;
        Cancellation.Cancel();
    }

    /// <summary>The newest events, for the journal.</summary>
    internal IReadOnlyList<OperationEvent> Newest(int count) => log.Newest(count);

    /// <summary>Ends it: what followers get last.</summary>
    internal void Finish(OperationRecord ended)
    {
        record = ended;
        log.Add(sequence => new OperationFinished(sequence, ended.EndedAt ?? time.GetUtcNow(), ended), last: true);
    }
}
