using System.Globalization;

namespace Decant.Controller.Manifest;

/// <summary>Reads who goes first, how long it is watched, and what is too bad.</summary>
internal static class CanarySection
{
    /// <summary>The part <c>strategy.canary</c>, or its defaults.</summary>
    public static CanaryPolicy Read(ManifestSection? section, IReadOnlyList<ManifestHost> hosts, ManifestSection strategy, bool refuseEverybody)
    {
        var share = section is null ? null : StrategySection.Share(section, "hosts", fewest: 1);
        var policy = new CanaryPolicy(
            share ?? new HostShare.Count(ManifestDefaults.CanaryHosts.Default),
            section is null ? 100 : Weight(section),
            section?.Duration("bake", ManifestDefaults.Bake) ?? ManifestDefaults.Bake.Default,
            section is null ? Promotion.Auto : Promote(section),
            new CanaryTolerance(
                section is null ? ManifestDefaults.Tolerance.ErrorPoints : Number(section, "max_error_points", ManifestDefaults.Tolerance.ErrorPoints, 0, 100),
                section is null ? ManifestDefaults.Tolerance.Slowdown : Number(section, "max_slowdown", ManifestDefaults.Tolerance.Slowdown, 1, 1000)));

        // Hosts that get all of the traffic leave nothing to compare with, unless the old instances stay beside them with a share.
        var everybody = hosts.Count > 0 && policy.Hosts.AtMostOf(hosts.Count) >= hosts.Count;
        if (refuseEverybody && everybody && (policy.Weight == 100 || hosts.Any(h => h.Slots.Count < 2)))
            strategy.Refuse("type", $"is canary, and all {hosts.Count} hosts would be canaries", "a canary needs other hosts beside it, or two slots on each host and canary: { weight: 10% }");
        return policy;
    }

    private static int Weight(ManifestSection section)
    {
        if (section.Scalar("weight") is not { Text: var text }) return 100;
        if (text.EndsWith('%') && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var weight) && weight is >= 1 and <= 100) return weight;
        section.Refuse("weight", $"is \"{ManifestPath.Shown(text)}\"", "write a share of a full member's traffic from 1% to 100%, as in weight: 10%");
        return 100;
    }

    private static Promotion Promote(ManifestSection section)
    {
        if (section.Text("promote") is not { } text) return Promotion.Auto;
        if (text is "auto") return Promotion.Auto;
        if (text is "manual") return Promotion.Manual;
        section.Refuse("promote", $"is \"{ManifestPath.Shown(text)}\"", "write auto, or manual to wait for `decant promote`");
        return Promotion.Auto;
    }

    private static double Number(ManifestSection section, string key, double fallback, double min, double max)
    {
        if (section.Scalar(key) is not { Text: var text }) return fallback;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max) return number;
        section.Refuse(key, $"is \"{ManifestPath.Shown(text)}\"", string.Create(CultureInfo.InvariantCulture, $"write a number from {min} to {max}, as in {key}: {fallback}"));
        return fallback;
    }
}
