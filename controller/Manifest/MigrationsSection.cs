using Decant.Controller.Fleet;
using Decant.Errors;

namespace Decant.Controller.Manifest;

/// <summary>Reads what is run once from the new release while the old one serves.</summary>
internal static class MigrationsSection
{
    private const string Example = "run: Shop.Release.migrate()";
    private const string DownExample = "down: Shop.Release.rollback(20260301)";

    /// <summary>The part <c>migrations</c>; null when there is none.</summary>
    public static MigrationPolicy? Read(ManifestSection? section, IReadOnlyList<ManifestHost> hosts)
    {
        if (section is null) return null;
        var expression = section.Expression("run", Example);
        if (!section.Has("run")) section.Refuse("run", "is missing", $"write {Example}, or remove `migrations`");
        var down = section.Expression("down", DownExample);
        var host = Host(section, hosts);
        var timeout = section.Duration("timeout", ManifestDefaults.MigrationTimeout);
        return expression is null || host is null ? null : new MigrationPolicy(expression, host, timeout, down);
    }

    private static HostName? Host(ManifestSection section, IReadOnlyList<ManifestHost> hosts)
    {
        if (!section.Has("host")) return hosts.Count > 0 ? hosts[0].Name : null;
        if (section.Parsed<HostName>("host", HostName.TryParse) is not { } name || hosts.Count == 0) return null;
        if (hosts.Any(h => h.Name == name)) return name;

        var names = hosts.Select(h => h.Name.Value).ToList();
        section.Refuse(
            "host",
            $"{name} is none of the hosts",
            Suggestion.For(name.Value, names) is { } meant ? $"did you mean `{meant}`?" : $"hosts are {string.Join(", ", names.Take(10))}");
        return null;
    }
}
