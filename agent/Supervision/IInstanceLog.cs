namespace Decant.Agent.Supervision;

/// <summary>A slot's output.</summary>
internal interface IInstanceLog
{
    /// <summary>The last lines, oldest first.</summary>
    IReadOnlyList<LoggedLine> LastLines(int count);

    /// <summary>The last lines, then what comes, until cancelled. With each line: how many were lost before it.</summary>
    /// <param name="tail">How many lines to begin with.</param>
    /// <param name="cancellation">Ends it.</param>
    IAsyncEnumerable<(LoggedLine Line, long Lost)> FollowAsync(int tail, CancellationToken cancellation);
}
