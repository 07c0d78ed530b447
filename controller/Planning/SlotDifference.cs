using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>Which of a slot's settings an instance would have to be started again for.</summary>
internal static class SlotDifference
{
    /// <summary>The settings that differ, for people; empty when there are none. Environment by name only: values are nobody's business.</summary>
    public static IReadOnlyList<string> Between(AppName app, SlotSettings running, SlotSettings wanted)
    {
        var differences = new List<string>();
        if (running.Port != wanted.Port) differences.Add($"port {running.Port} → {wanted.Port}");
        if (running.Distribution != wanted.Distribution)
            differences.Add(wanted.Distribution ? "distribution off → on" : "distribution on → off");
        else if (wanted.Distribution && NodeOf(app, running) != NodeOf(app, wanted))
            differences.Add($"node {NodeOf(app, running)} → {NodeOf(app, wanted)}");

        var names = running.Environment.Keys.Union(wanted.Environment.Keys).Order(StringComparer.Ordinal);
        foreach (var name in names)
        {
            var had = running.Environment.TryGetValue(name, out var before);
            var has = wanted.Environment.TryGetValue(name, out var after);
            if (had && has && before == after) continue;
            differences.Add(!had ? $"env {name} added" : !has ? $"env {name} removed" : $"env {name} changed");
        }

        return differences;
    }

    /// <summary>The node name that the agent gives where the manifest names none (see SlotSpec.node in the contract).</summary>
    public static string NodeOf(AppName app, SlotSettings slot) => slot.Node.Length > 0 ? slot.Node : $"{app}-{slot.Name}@127.0.0.1";
}
