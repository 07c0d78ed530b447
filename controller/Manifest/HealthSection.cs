namespace Decant.Controller.Manifest;

/// <summary>Reads how an instance is found healthy.</summary>
internal static class HealthSection
{
    private const string RpcExample = "rpc: \"true = Shop.Health.ready?()\"";
    private static readonly string[] Probes = ["http", "tcp", "rpc"];
    private static readonly WholeRule Status = new(200, 100, 599);

    /// <summary>The part <c>health</c>; a connection to the port where it says nothing.</summary>
    public static HealthPolicy Read(ManifestSection? section, IReadOnlyList<ManifestHost> hosts, DeploymentStrategy strategy)
    {
        if (section is null) return ManifestDefaults.Health;
        var probe = Probe(section);
        var policy = new HealthPolicy(
            probe,
            section.Duration("interval", ManifestDefaults.Interval),
            section.Duration("start_interval", ManifestDefaults.StartInterval),
            section.Duration("timeout", probe is HealthProbe.Rpc ? ManifestDefaults.RpcCheckTimeout : ManifestDefaults.CheckTimeout),
            section.Whole("rise", ManifestDefaults.Rise),
            section.Whole("fall", ManifestDefaults.Fall));

        if (probe is HealthProbe.Rpc && hosts.FirstOrDefault(h => h.Slots.Any(s => !s.Distribution)) is { } mute)
            section.Refuse("rpc", $"cannot ask {mute.Name}, which runs without distribution", "check by http or tcp, or let it run with distribution");
        var soonest = policy.StartInterval * (policy.Rise - 1);
        if (soonest > strategy.HealthyDeadline)
        {
            section.Refuse(
                "rise",
                $"{policy.Rise} checks {DurationText.Format(policy.StartInterval)} apart take longer than strategy.healthy_deadline ({DurationText.Format(strategy.HealthyDeadline)})",
                "no instance could become healthy: lower rise or start_interval, or raise the deadline");
        }

        return policy;
    }

    private static HealthProbe Probe(ManifestSection section)
    {
        var asked = Probes.Where(section.Has).ToList();
        if (asked.Count > 1)
            section.Refuse(asked[1], $"stands beside {asked[0]}, and one check is made", $"keep one of {string.Join(", ", asked)}");

        HealthProbe? http = section.Part("http", ManifestKeys.Http) is { } part ? Http(part) : null;
        HealthProbe? rpc = section.Expression("rpc", RpcExample) is { } expression ? new HealthProbe.Rpc(expression) : null;
        if (!section.Flag("tcp", fallback: true))
            section.Refuse("tcp", "is false", "remove the line, or say what is to be checked instead: http or rpc");
        return http ?? rpc ?? new HealthProbe.Tcp();
    }

    private static HealthProbe.Http Http(ManifestSection section)
    {
        var path = section.Text("path", 2048);
        if (path is not null && (!path.StartsWith('/') || path.Any(c => c is ' ' or '#' || c > '~')))
            section.Refuse("path", $"is \"{ManifestPath.Shown(path)}\", not a path", "begin with '/', without spaces, as in path: /health");
        if (!section.Has("path")) section.Refuse("path", "is missing", "write path: /health");

        return new HealthProbe.Http(
            path ?? "/",
            section.Has("status") ? section.Whole("status", Status) : 0,
            section.Text("body", 1024) ?? "",
            section.Text("host") ?? "");
    }
}
