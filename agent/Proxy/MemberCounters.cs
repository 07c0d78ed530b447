namespace Decant.Agent.Proxy;

/// <summary>What became of a member's requests since the proxy's start.</summary>
internal sealed class MemberCounters
{
    /// <summary>So many latest answers the average is over, about.</summary>
    public const int Window = 256;

    private long requests;
    private long answers;
    private long answers5xx;
    private long connectionErrors;
    private long answerErrors;
    private long longLivedClosed;
    private double averageMs;

    /// <summary>Requests that were sent to it, or tried to.</summary>
    public long Requests => Volatile.Read(ref requests);

    /// <summary>Answers that began.</summary>
    public long Answers => Volatile.Read(ref answers);

    /// <summary>Of them: with status 500 to 599.</summary>
    public long Answers5xx => Volatile.Read(ref answers5xx);

    /// <summary>Connections that could not be made.</summary>
    public long ConnectionErrors => Volatile.Read(ref connectionErrors);

    /// <summary>Requests without an answer, and answers that broke off.</summary>
    public long AnswerErrors => Volatile.Read(ref answerErrors);

    /// <summary>Long-lived connections that the proxy closed.</summary>
    public long LongLivedClosed => Volatile.Read(ref longLivedClosed);

    /// <summary>Moving average of the time until an answer begins, in milliseconds.</summary>
    public double AverageMs => Volatile.Read(ref averageMs);

    public void CountRequest() => Interlocked.Increment(ref requests);

    /// <summary>An answer begins.</summary>
    /// <param name="status">Its status.</param>
    /// <param name="elapsed">Since the request was sent.</param>
    public void CountAnswer(int status, TimeSpan elapsed)
    {
        var count = Interlocked.Increment(ref answers);
        if (status is >= 500 and <= 599) Interlocked.Increment(ref answers5xx);
        var share = 1.0 / Math.Min(count, Window);
        double seen;
        double next;
        do
        {
            seen = Volatile.Read(ref averageMs);
            next = seen + ((elapsed.TotalMilliseconds - seen) * share);
        }
        while (Interlocked.CompareExchange(ref averageMs, next, seen) != seen);
    }

    public void CountConnectionError() => Interlocked.Increment(ref connectionErrors);

    public void CountAnswerError() => Interlocked.Increment(ref answerErrors);

    public void CountLongLivedClosed() => Interlocked.Increment(ref longLivedClosed);
}
