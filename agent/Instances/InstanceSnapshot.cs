using Decant.Agent.Operations;
using Decant.Agent.Supervision;

namespace Decant.Agent.Instances;

/// <summary>A slot as it is now; never changes.</summary>
/// <param name="Record">What it is meant to do.</param>
/// <param name="State">What it does.</param>
/// <param name="Process">The release's process; null when none runs.</param>
/// <param name="StartedAt">When that was started.</param>
/// <param name="RestartAt">When it is started again; null unless it backs off.</param>
/// <param name="AdoptedAt">When this agent took it over; null when this agent started it.</param>
/// <param name="Health">What the continuous check says; null without one.</param>
internal sealed record InstanceSnapshot(
    InstanceRecord Record,
    InstanceState State,
    ProcessIdentity? Process,
    DateTimeOffset? StartedAt,
    DateTimeOffset? RestartAt,
    DateTimeOffset? AdoptedAt,
    HealthSeen? Health);

/// <summary>What a slot does.</summary>
internal enum InstanceState
{
    Stopped,
    Starting,
    Running,
    Unhealthy,
    Stopping,
    BackingOff,
}
