using Decant.Names;

namespace Decant.Controller.Manifest;

/// <summary>Reads how the app runs: the defaults of all hosts, and one host's values over them.</summary>
internal static class SlotSection
{
    private static readonly WholeRule Port = new(ManifestDefaults.Port, 1, 65_535);

    /// <summary>The part <c>slot</c>.</summary>
    public static SlotSettings ReadDefaults(ManifestSection? section)
    {
        var defaults = new SlotSettings(
            SlotName.Parse(ManifestDefaults.Slot), ManifestDefaults.Port, "", new Dictionary<string, string>(), Distribution: true);
        return section is null ? defaults : Read(section, "name", defaults);
    }

    /// <summary>A host's own values over the defaults.</summary>
    public static SlotSettings ReadHost(ManifestSection section, SlotSettings defaults) => Read(section, "slot", defaults);

    private static SlotSettings Read(ManifestSection section, string nameKey, SlotSettings over) => new(
        section.Parsed<SlotName>(nameKey, SlotName.TryParse) ?? over.Name,
        section.Whole("port", Port with { Default = over.Port }),
        Node(section) ?? over.Node,
        EnvironmentSection.Read(section, over.Environment),
        section.Flag("distribution", over.Distribution));

    private static string? Node(ManifestSection section)
    {
        if (section.Text("node") is not { } node) return null;
        var parts = node.Split('@');
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
