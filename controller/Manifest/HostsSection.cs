using Decant.Controller.Fleet;
using Decant.Names;

namespace Decant.Controller.Manifest;

/// <summary>Reads the hosts, and refuses two that would be one and the same instance.</summary>
internal static class HostsSection
{
    private const string Key = "hosts";

    /// <summary>The part <c>hosts</c>, in its order; empty when it is missing or wrong, which is then reported.</summary>
    public static IReadOnlyList<ManifestHost> Read(ManifestSection top, IReadOnlyList<SlotSettings> defaults)
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

    private static ManifestHost? ReadHost(ManifestNode.Entry entry, IReadOnlyList<SlotSettings> defaults, ManifestProblems problems)
    {
        var path = ManifestPath.Join(Key, entry.Key.Text);
        if (!HostName.TryParse(entry.Key.Text, out var name, out var reason)) problems.Add(entry.Key.Place, path, ManifestPath.Shown(reason));
        if (NamedPart.Open(entry, path, ManifestKeys.Host, problems) is not { } section || name is null) return null;

        // A node name in common may stand for the slot of a host that has just one.
        var slots = SlotSection.ReadHost(section, defaults).Select(s => s with { Node = s.Node.Replace("{slot}", s.Name.Value, StringComparison.Ordinal) }).ToList();
        return section.Agent(name) is { } agent ? new ManifestHost(name, agent, Address(section, agent), slots) : null;
    }

    /// <summary>Where balancers reach the app: where its agent is, unless that is reached by a unix socket or through a tunnel.</summary>
    private static string Address(ManifestSection section, AgentAddress agent)
    {
        var inferred = agent.SocketPath is null ? agent.Host : "127.0.0.1";
        if (section.Text("address") is not { } address) return inferred;
        if (MemberAddress.TryParse($"{(address.Contains(':', StringComparison.Ordinal) ? $"[{address}]" : address)}:1", out _, out _)) return address;
        section.Refuse("address", $"is \"{ManifestPath.Shown(address)}\", neither an IP address nor a host name", "write it without a port, as in address: 10.0.0.2");
        return inferred;
    }

    private static void RefuseCollisions(ManifestHost host, IEnumerable<ManifestHost> others, Place place, ManifestProblems problems)
    {
        var path = ManifestPath.Join(Key, host.Name.Value);
        foreach (var other in others.Where(o => o.Agent == host.Agent))
        {
            var same = $"has the same agent as {other.Name} ({host.Agent}) and the same";
            var pairs = from own in host.Slots from theirs in other.Slots select (Own: own, Other: theirs);
            foreach (var (own, its) in pairs)
            {
                if (its.Name == own.Name)
                    problems.Add(place, path, $"{same} slot {own.Name}", "give it another agent, or a slot of its own");
                else if (its.Port == own.Port)
                    problems.Add(place, path, $"{same} port {own.Port}", "give it another agent, or a port of its own");
                else if (its.Node == own.Node && own is { Node.Length: > 0, Distribution: true } && its.Distribution)
                    problems.Add(place, path, $"{same} node {own.Node}", "give it a node of its own: the second of two nodes with one name does not start");
            }
        }
    }
}
