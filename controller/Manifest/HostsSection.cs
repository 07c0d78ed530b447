using Decant.Controller.Fleet;

namespace Decant.Controller.Manifest;

/// <summary>Reads the hosts, and refuses two that would be one and the same instance.</summary>
internal static class HostsSection
{
    private const string Key = "hosts";

    /// <summary>The part <c>hosts</c>, in its order; empty when it is missing or wrong, which is then reported.</summary>
    public static IReadOnlyList<ManifestHost> Read(ManifestSection top, SlotSettings defaults)
    {
        const string Example = "write hosts: and below it one host a line, as in web1: { agent: 10.0.0.1 }";
        if (!top.Has(Key)) top.Refuse(Key, "is missing", Example);
        if (top.Mapping(Key) is not { } mapping) return [];
        if (mapping.Entries.Count == 0) top.Refuse(Key, "has no host", Example);

        var hosts = new List<ManifestHost>();
        foreach (var entry in mapping.Entries)
        {
            if (ReadHost(entry, defaults, top.Problems) is not { } host) continue;
            RefuseCollisions(host, hosts, entry.Key.Place, top.Problems);
            hosts.Add(host);
        }

        return hosts;
    }

    private static ManifestHost? ReadHost(ManifestNode.Entry entry, SlotSettings defaults, ManifestProblems problems)
    {
        var path = ManifestPath.Join(Key, entry.Key.Text);
        if (!HostName.TryParse(entry.Key.Text, out var name, out var reason)) problems.Add(entry.Key.Place, path, ManifestPath.Shown(reason));
        if (NamedPart.Open(entry, path, ManifestKeys.Host, problems) is not { } section || name is null) return null;

        var slot = SlotSection.ReadHost(section, defaults);
        return section.Agent(name) is { } agent ? new ManifestHost(name, agent, slot) : null;
    }

    private static void RefuseCollisions(ManifestHost host, IEnumerable<ManifestHost> others, Place place, ManifestProblems problems)
    {
        var path = ManifestPath.Join(Key, host.Name.Value);
        foreach (var other in others.Where(o => o.Agent == host.Agent))
        {
            var same = $"has the same agent as {other.Name} ({host.Agent}) and the same";
            if (other.Slot.Name == host.Slot.Name)
                problems.Add(place, path, $"{same} slot {host.Slot.Name}", "give it another agent, or a slot of its own");
            else if (other.Slot.Port == host.Slot.Port)
                problems.Add(place, path, $"{same} port {host.Slot.Port}", "give it another agent, or a port of its own");
            else if (other.Slot.Node == host.Slot.Node && host.Slot is { Node.Length: > 0, Distribution: true } && other.Slot.Distribution)
                problems.Add(place, path, $"{same} node {host.Slot.Node}", "give it a node of its own: the second of two nodes with one name does not start");
        }
    }
}
