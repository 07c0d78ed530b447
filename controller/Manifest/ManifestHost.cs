using Decant.Controller.Fleet;

namespace Decant.Controller.Manifest;

/// <summary>A host of the app.</summary>
/// <param name="Name">Its name in the manifest.</param>
/// <param name="Agent">Where its agent listens.</param>
/// <param name="Address">IP address or name at which balancers reach the app on it.</param>
/// <param name="Slots">One slot, or two for a switch: in the order of the manifest.</param>
public sealed record ManifestHost(HostName Name, AgentAddress Agent, string Address, IReadOnlyList<SlotSettings> Slots)
{
    /// <summary>The slot of a step; for a host as the manifest has it, the first one.</summary>
    public SlotSettings Slot => Slots[0];

    /// <summary>The host with one slot alone: what a step is about.</summary>
    public ManifestHost In(SlotSettings slot) => this with { Slots = [slot] };
}
