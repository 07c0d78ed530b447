using Decant.Names;

namespace Decant.Controller.Manifest;

/// <summary>Reads how the app runs: the defaults of all hosts in one slot or two, and one host's values over them.</summary>
internal static class SlotSection
{
    private const string TwoSlots = "slots: { blue: { port: 4001 }, green: { port: 4002 } }";
    private static readonly WholeRule Port = new(ManifestDefaults.Port, 1, 65_535);

    /// <summary>The parts <c>slot</c> and <c>slots</c>: one slot, or two.</summary>
    public static IReadOnlyList<SlotSettings> ReadDefaults(ManifestSection top)
    {
        var plain = new SlotSettings(
            SlotName.Parse(ManifestDefaults.Slot), ManifestDefaults.Port, "", new Dictionary<string, string>(), Distribution: true);
        var section = top.Part("slot", ManifestKeys.Slot);
        var common = section is null ? plain : Read(section, "name", plain);
        if (section is not null && section.Has("name") && top.Has("slots")) section.Refuse("name", "stands beside `slots`, which names the slots", "remove it");
        return ReadSlots(top, "slots", [common]);
    }

    /// <summary>A host's own values over the defaults.</summary>
    public static IReadOnlyList<SlotSettings> ReadHost(ManifestSection section, IReadOnlyList<SlotSettings> defaults)
    {
        if (defaults.Count > 1 && section.Has("slot")) section.Refuse("slot", "stands beside `slots`, which names the slots", "remove it");
        if (defaults.Count > 1 && section.Has("port"))
            section.Refuse("port", "would be that of both slots", $"write {TwoSlots}");
        return ReadSlots(section, "slots", [.. defaults.Select(d => Read(section, "slot", d))]);
    }

    /// <summary>Two slots over the settings that they have in common, or over two that are there already.</summary>
    private static IReadOnlyList<SlotSettings> ReadSlots(ManifestSection section, string key, IReadOnlyList<SlotSettings> over)
    {
        if (section.Mapping(key) is not { } mapping) return over;
        var slots = new List<SlotSettings>();
        foreach (var entry in mapping.Entries)
        {
            var path = ManifestPath.Join(ManifestPath.Join(section.Path, key), entry.Key.Text);
            if (!SlotName.TryParse(entry.Key.Text, out var name, out var reason))
            {
                section.Problems.Add(entry.Key.Place, path, ManifestPath.Shown(reason));
                continue;
            }

            if (NamedPart.Open(entry, path, ManifestKeys.OneOfSlots, section.Problems) is not { } part) continue;
            var under = over.FirstOrDefault(s => s.Name == name) ?? over[0];
            if (over.Count > 1 && under.Name != name) section.Problems.Add(entry.Key.Place, path, $"is none of the slots {string.Join(" and ", over.Select(s => s.Name))}", "a host has the slots that the top level names");
            slots.Add(Read(part, null, under with { Name = name }));
        }

        if (over.Count > 1) slots.AddRange(over.Where(o => slots.All(s => s.Name != o.Name)));
        if (slots.Count != 2)
        {
            section.Refuse(key, $"has {slots.Count} slots", $"a switch needs two: {TwoSlots}");
            return over;
        }

        if (slots[0].Port == slots[1].Port) section.Refuse(key, $"have the same port {slots[0].Port}", "give each its own: both run at once during a switch");
        if (slots[0].Node.Length > 0 && slots[0].Node == slots[1].Node)
            section.Refuse(key, $"have the same node {slots[0].Node}", "have {slot} in its name, as in node: \"shop-{slot}@10.0.0.2\"");
        return over.Count > 1 ? [.. over.Select(o => slots.First(s => s.Name == o.Name))] : slots;
    }

    private static SlotSettings Read(ManifestSection section, string? nameKey, SlotSettings over)
    {
        var name = (nameKey is null ? null : section.Parsed<SlotName>(nameKey, SlotName.TryParse)) ?? over.Name;
        return new SlotSettings(
            name,
            section.Whole("port", Port with { Default = over.Port }),
            (Node(section) ?? over.Node).Replace("{slot}", nameKey is null ? name.Value : "{slot}", StringComparison.Ordinal),
            EnvironmentSection.Read(section, over.Environment),
            section.Flag("distribution", over.Distribution));
    }

    private static string? Node(ManifestSection section)
    {
        if (section.Text("node") is not { } node) return null;
        var parts = node.Replace("{slot}", "slot", StringComparison.Ordinal).Split('@');
        var valid = node.Length == 0
            || (parts.Length == 2
                && parts.All(p => p.Length > 0)
                && parts[0].All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')
                && parts[1].All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or ':' or '_'));
        if (valid) return node;
        section.Refuse("node", $"is \"{ManifestPath.Shown(node)}\", not an Erlang node name", "write name@host, as in node: shop@10.0.0.2");
        return null;
    }
}
