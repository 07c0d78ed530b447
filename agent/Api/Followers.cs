using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>Counts the callers that follow something, and lets no more in than there may be.</summary>
/// <param name="most">How many may follow at once.</param>
/// <param name="refusal">What one too many is told.</param>
/// <param name="next">And what to do.</param>
internal abstract class Followers(int most, string refusal, string next)
{
    private int present;

    /// <summary>Lets one more in; dispose the result when it leaves.</summary>
    /// <exception cref="OperatorException">RESOURCE_EXHAUSTED TOO_MANY_FOLLOWERS.</exception>
    public IDisposable Enter()
    {
        if (Interlocked.Increment(ref present) <= most) return new Follower(this);
        Interlocked.Decrement(ref present);
        throw new OperatorException(new OperatorError(StatusCode.ResourceExhausted, "TOO_MANY_FOLLOWERS", refusal, next));
    }

    private sealed class Follower(Followers among) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref among.present);
    }
}
