using System.Globalization;
using Decant.Errors;

namespace Decant.Controller.Manifest;

/// <summary>Reads in which waves a release gets to the hosts, and what each thing may take.</summary>
internal static class StrategySection
{
    private const int MaxHosts = 10_000;

    private static readonly IReadOnlyList<(string Word, StrategyKind Kind)> Kinds =
    [
        ("rolling", StrategyKind.Rolling), ("blue-green", StrategyKind.BlueGreen), ("canary", StrategyKind.Canary), ("recreate", StrategyKind.Recreate),
    ];

    /// <summary>The part <c>strategy</c>; rolling, one host after the other, where it says nothing.</summary>
    public static DeploymentStrategy Read(ManifestSection? section, IReadOnlyList<ManifestHost> hosts)
    {
        if (section is null) return ManifestDefaults.Strategy;
        var kind = Kind(section);
        RefuseImpossible(section, kind, hosts);
        return new DeploymentStrategy(
            kind,
            Share(section, "batch", fewest: 1) ?? ManifestDefaults.Strategy.Batch,
            Share(section, "min_in_rotation", fewest: 0) ?? ManifestDefaults.Strategy.MinInRotation,
            section.Duration("min_healthy", ManifestDefaults.MinHealthy),
            section.Duration("healthy_deadline", ManifestDefaults.HealthyDeadline),
            section.Duration("drain_timeout", ManifestDefaults.DrainTimeout),
            section.Duration("stop_timeout", ManifestDefaults.StopTimeout),
            section.Duration("term_timeout", ManifestDefaults.TermTimeout),
            section.Duration("undrain_timeout", ManifestDefaults.UndrainTimeout),
            section.Duration("keep_old", ManifestDefaults.KeepOld),
            section.Whole("failure_budget", ManifestDefaults.FailureBudget),
            section.Flag("auto_rollback", ManifestDefaults.Strategy.AutoRollback),
            Canary(section, kind, hosts),
            LongLived(section.Part("long_lived", ManifestKeys.LongLived)),
            WindowSection.Read(section.Part("window", ManifestKeys.Window)));
    }

    /// <summary>The hosts in the order in which they are cut over: those that <c>order</c> names, then the others as the file has them.</summary>
    public static IReadOnlyList<ManifestHost> Order(ManifestSection? section, IReadOnlyList<ManifestHost> hosts)
    {
        if (section is null || !section.Has("order")) return hosts;
        var first = new List<ManifestHost>();
        foreach (var name in section.Words("order", "order: [web3, web1]"))
        {
            if (hosts.FirstOrDefault(h => h.Name.Value == name) is not { } host)
                section.Refuse("order", $"names {ManifestPath.Shown(name)}, which is none of the hosts", Suggestion.For(name, hosts.Select(h => h.Name.Value)) is { } meant ? $"did you mean `{meant}`?" : "");
            else if (first.Contains(host)) section.Refuse("order", $"names {name} twice", "name it once");
            else first.Add(host);
        }

        return [.. first, .. hosts.Except(first)];
    }

    /// <summary>A number of hosts, or a share of them; null where the key is missing or wrong.</summary>
    public static HostShare? Share(ManifestSection section, string key, int fewest)
    {
        if (section.Scalar(key) is not { Text: var text }) return null;
        var isShare = text.EndsWith('%');
        if (!int.TryParse(isShare ? text[..^1] : text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            section.Refuse(key, $"is \"{ManifestPath.Shown(text)}\"", $"write a number of hosts ({key}: 1) or a share of them ({key}: 25%)");
        else if (isShare && number is < 1 or > 100)
            section.Refuse(key, $"is {text}", "a share is from 1% to 100%");
        else if (!isShare && (number < fewest || number > MaxHosts))
            section.Refuse(key, $"is {text}", $"a number of hosts is from {fewest} to {MaxHosts}");
        else
            return isShare ? new HostShare.Percent(number) : new HostShare.Count(number);
        return null;
    }

    private static StrategyKind Kind(ManifestSection section)
    {
        if (section.Text("type") is not { } type) return StrategyKind.Rolling;
        foreach (var (word, kind) in Kinds)
        {
            if (type == word) return kind;
        }

        var words = Kinds.Select(k => k.Word).ToList();
        section.Refuse("type", $"is \"{ManifestPath.Shown(type)}\"", Suggestion.For(type, words) is { } meant ? $"did you mean `{meant}`?" : $"there are {string.Join(", ", words)}");
        return StrategyKind.Rolling;
    }

    private static void RefuseImpossible(ManifestSection section, StrategyKind kind, IReadOnlyList<ManifestHost> hosts)
    {
        if (kind == StrategyKind.BlueGreen && hosts.FirstOrDefault(h => h.Slots.Count < 2) is { } single)
            section.Refuse("type", $"is blue-green, and {single.Name} has one slot", "give it two: slots: { blue: { port: 4001 }, green: { port: 4002 } }");
        if (section.Has("canary") && kind != StrategyKind.Canary)
            section.Refuse("canary", "is for type: canary", "write type: canary, or remove it");
        if (kind == StrategyKind.Recreate && section.Has("min_in_rotation"))
            section.Refuse("min_in_rotation", "cannot be kept by recreate, which stops every host first", "remove it, or choose another type");
    }

    private static CanaryPolicy? Canary(ManifestSection section, StrategyKind kind, IReadOnlyList<ManifestHost> hosts)
    {
        var part = section.Part("canary", ManifestKeys.Canary);
        if (kind != StrategyKind.Canary && part is null) return null;
        var policy = CanarySection.Read(part, hosts, section, refuseEverybody: kind == StrategyKind.Canary);
        return kind == StrategyKind.Canary ? policy : null;
    }

    private static LongLivedConnections? LongLived(ManifestSection? section) => section is null
        ? null
        : new LongLivedConnections(section.Duration("close_after", ManifestDefaults.CloseAfter), section.Duration("spread", ManifestDefaults.Spread));
}
