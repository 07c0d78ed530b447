using Decant.Errors;

namespace Decant.Controller.Manifest;

/// <summary>The keys that each part of the manifest knows.</summary>
internal static class ManifestKeys
{
    public static readonly IReadOnlyList<string> Top = ["app", "hosts", "balancers", "slot", "slots", "health", "migrations", "strategy", "releases"];
    public static readonly IReadOnlyList<string> Host = ["agent", "address", "slot", "slots", "port", "node", "env", "distribution"];
    public static readonly IReadOnlyList<string> Balancer = ["agent", "balancer", "backend", "member"];
    public static readonly IReadOnlyList<string> Slot = ["name", "port", "node", "distribution", "env"];
    public static readonly IReadOnlyList<string> OneOfSlots = ["port", "node", "distribution", "env"];
    public static readonly IReadOnlyList<string> Health = ["http", "tcp", "rpc", "interval", "start_interval", "timeout", "rise", "fall"];
    public static readonly IReadOnlyList<string> Http = ["path", "status", "body", "host"];
    public static readonly IReadOnlyList<string> Migrations = ["run", "down", "host", "timeout"];
    public static readonly IReadOnlyList<string> Releases = ["keep"];

    public static readonly IReadOnlyList<string> Strategy =
    [
        "type", "batch", "min_in_rotation", "order", "min_healthy", "healthy_deadline", "drain_timeout", "stop_timeout", "term_timeout",
        "undrain_timeout", "keep_old", "failure_budget", "auto_rollback", "canary", "long_lived", "window",
    ];

    public static readonly IReadOnlyList<string> Canary = ["hosts", "weight", "bake", "promote", "max_error_points", "max_slowdown"];
    public static readonly IReadOnlyList<string> LongLived = ["close_after", "spread"];
    public static readonly IReadOnlyList<string> Window = ["from", "to", "days", "zone"];

    /// <summary>Each part by its path; <c>*</c> stands for a name of the operator's own.</summary>
    public static readonly IReadOnlyDictionary<string, IReadOnlyList<string>> Parts = new Dictionary<string, IReadOnlyList<string>>
    {
        [""] = Top,
        ["hosts.*"] = Host,
        ["balancers.*"] = Balancer,
        ["slot"] = Slot,
        ["slots.*"] = OneOfSlots,
        ["hosts.*.slots.*"] = OneOfSlots,
        ["health"] = Health,
        ["health.http"] = Http,
        ["migrations"] = Migrations,
        ["strategy"] = Strategy,
        ["strategy.canary"] = Canary,
        ["strategy.long_lived"] = LongLived,
        ["strategy.window"] = Window,
        ["releases"] = Releases,
    };

    /// <summary>What to say of a key that the part does not know: the one that was meant, the part where it belongs, or all there are.</summary>
    public static string SuggestionFor(string key, IReadOnlyList<string> known)
    {
        if (key == "<<") return "write the values out: a manifest has neither anchors nor merge keys";
        if (Suggestion.For(key, known) is { } meant) return $"did you mean `{meant}`?";
        var homes = Parts.Where(p => p.Value != known && p.Value.Contains(key)).Select(p => p.Key.Length == 0 ? "the top level" : $"`{p.Key}`");
        var places = string.Join(" or ", homes);
        return places.Length > 0 ? $"it belongs under {places}" : $"known are {string.Join(", ", known.Select(k => $"`{k}`"))}";
    }
}
