namespace Decant.Agent.Api;

/// <summary>
/// The callers that follow a log. Each costs an inotify instance, of which Linux gives a user 128 (inotify(7), max_user_instances):
/// without a limit here the agent, and others of its user, would run out of them.
/// </summary>
internal sealed class LogFollowers() : Followers(Most, $"{Most} callers follow logs on this host already", "end some of them, or read without following")
{
    /// <summary>How many may follow at once.</summary>
    public const int Most = 64;
}
