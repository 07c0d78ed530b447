using Decant.Agent.Instances;

namespace Decant.Agent.Balancers;

/// <summary>A slot as HAProxies may ask for it.</summary>
/// <param name="Key">App and slot.</param>
/// <param name="Port">That its instance serves on.</param>
/// <param name="WhyDown">Why its instance does not serve; null when it does.</param>
internal sealed record CheckedSlot(InstanceKey Key, int Port, string? WhyDown)
{
    /// <summary>The slots of this host.</summary>
    public static IReadOnlyList<CheckedSlot> Of(InstanceRegistry instances) => [.. instances.All().Select(slot => Of(slot.Snapshot()))];

    private static CheckedSlot Of(InstanceSnapshot snapshot) => new(snapshot.Record.Key, snapshot.Record.Spec.Port, snapshot.State switch
    {
        InstanceState.Running => null,
        // Taken over by this agent, which has not asked its health yet: it served before.
        InstanceState.Starting when snapshot.AdoptedAt is not null => null,
        InstanceState.Starting => "starting",
        InstanceState.Unhealthy => "unhealthy",
        InstanceState.Stopping => "stopping",
        InstanceState.BackingOff => "it ended and waits for its restart",
        _ => "not running",
    });
}

/// <summary>The slots of this host, now.</summary>
internal delegate IReadOnlyList<CheckedSlot> CheckedSlots();
