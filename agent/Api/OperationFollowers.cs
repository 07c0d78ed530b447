using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>
/// Counts the callers that follow operations. None of them holds more than a message: who reads slowly waits for himself. But each costs a
/// stream, and without a limit here a caller that leaks them would take the agent's memory.
/// </summary>
internal sealed class OperationFollowers
{
    /// <summary>How many may follow at once.</summary>
    public const int Most = 256;

    private int present;

    /// <summary>Lets one more in; dispose the result when it leaves.</summary>
    /// <exception cref="OperatorException">RESOURCE_EXHAUSTED TOO_MANY_FOLLOWERS.</exception>
    public IDisposable Enter()
    {
        if (Interlocked.Increment(ref present) <= Most) return new Follower(this);
        Interlocked.Decrement(ref present);
        throw new OperatorException(new OperatorError(
            StatusCode.ResourceExhausted,
            "TOO_MANY_FOLLOWERS",
            $"{Most} callers follow operations on this host already; nothing was begun",
            "end some of them; operations go on without a caller"));
    }

    private sealed class Follower(OperationFollowers among) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref among.present);
    }
}
