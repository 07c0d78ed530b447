using Decant.Controller.Fleet;
using Decant.Names;

namespace Decant.Controller.Manifest;

/// <summary>A backend that has the hosts' instances as members.</summary>
/// <param name="Key">Its name in the manifest.</param>
/// <param name="Agent">The agent of the host that the balancer lives on; null: one on each host, for that host's own instances alone.</param>
/// <param name="Balancer">Its name in that agent's agent.yml.</param>
/// <param name="Backend">The backend's name in the balancer's configuration.</param>
/// <param name="MemberTemplate">
/// Name of an instance's member in it; <c>{host}</c> and <c>{slot}</c> stand for the names of those, <c>{-slot}</c> for a hyphen and the slot's
/// name, and for nothing in the slot <c>main</c>.
/// </param>
public sealed record ManifestBalancer(HostName Key, AgentAddress? Agent, BalancerName Balancer, MemberName Backend, string MemberTemplate)
{
    /// <summary>The agent that drives it for a host's instances.</summary>
    public AgentAddress AgentOf(ManifestHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return Agent ?? host.Agent;
    }

    /// <summary>The name of an instance's member.</summary>
    public MemberName MemberOf(HostName host, SlotName slot)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(slot);
        return MemberName.Parse(Filled(MemberTemplate, host, slot));
    }

    /// <summary>Whether the members of two slots of a host have names of their own.</summary>
    internal static bool TellsSlotsApart(string template)
        => template.Contains("{slot}", StringComparison.Ordinal) || template.Contains("{-slot}", StringComparison.Ordinal);

    /// <summary>A template with its placeholders filled.</summary>
    internal static string Filled(string template, HostName host, SlotName slot) => template
        .Replace("{host}", host.Value, StringComparison.Ordinal)
        .Replace("{slot}", slot.Value, StringComparison.Ordinal)
        .Replace("{-slot}", slot.Value == ManifestDefaults.Slot ? "" : $"-{slot}", StringComparison.Ordinal);
}
