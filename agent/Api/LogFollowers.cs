using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>
/// Counts the callers that follow a log. Each costs an inotify instance, of which Linux gives a user 128 (inotify(7), max_user_instances):
/// without a limit here the agent, and others of its user, would run out of them.
/// </summary>
internal sealed class LogFollowers
{
    /// <summary>How many may follow at once.</summary>
    public const int Most = 64;

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
            $"{Most} callers follow logs on this host already",
            "end some of them, or read without following"));
    }

    private sealed class Follower(LogFollowers among) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref among.present);
    }
}
