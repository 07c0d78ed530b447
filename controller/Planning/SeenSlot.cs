using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>A slot as its agent tells of it, whether something runs in it or not.</summary>
/// <param name="Name">The slot.</param>
/// <param name="State">What its instance does.</param>
/// <param name="Release">What it runs or last ran; null when the agent does not know.</param>
/// <param name="RetireAt">When it is stopped, because its traffic has gone elsewhere; null: it runs on.</param>
/// <param name="ExitCode">How it last ended; null when it has not, or nobody could learn it.</param>
public sealed record SeenSlot(SlotName Name, SlotState State, ReleaseId? Release, DateTimeOffset? RetireAt = null, int? ExitCode = null);

/// <summary>What the instance in a slot does.</summary>
public enum SlotState
{
    /// <summary>Not running, and not meant to.</summary>
    Stopped,

    /// <summary>Started, not healthy yet.</summary>
    Starting,

    /// <summary>Running, and healthy where a check is set.</summary>
    Running,

    /// <summary>Running, but its health check fails.</summary>
    Unhealthy,

    /// <summary>Being stopped.</summary>
    Stopping,

    /// <summary>It died; the agent is going to start it again.</summary>
    BackingOff,
}
