using Decant.Controller.Fleet;
using Decant.Names;

namespace Decant.Controller.Manifest;

/// <summary>Reads the balancers, and refuses member names that do not tell the hosts apart.</summary>
internal static class BalancersSection
{
    private const string Key = "balancers";
    private const string EachHost = "host";
    private const string Embedded = "proxy";

    /// <summary>
    /// The part <c>balancers</c>, in its order. Where it is missing: the embedded proxy of each host. Where it is there and empty: none.
    /// </summary>
    public static IReadOnlyList<ManifestBalancer> Read(ManifestSection top, AppName? app, IReadOnlyList<ManifestHost> hosts)
    {
        if (!top.Has(Key) && app is not null)
            return [new ManifestBalancer(HostName.Parse(Embedded), null, BalancerName.Parse(Embedded), MemberName.Parse(app.Value), ManifestDefaults.Member)];
        var balancers = new List<ManifestBalancer>();
        foreach (var entry in top.Mapping(Key)?.Entries ?? [])
        {
            var path = ManifestPath.Join(Key, entry.Key.Text);
            if (ReadBalancer(entry, path, app, hosts, top.Problems) is not { } balancer) continue;
            if (balancers.FirstOrDefault(b => IsSame(b, balancer)) is { } twin)
                top.Problems.Add(entry.Key.Place, path, $"is the same members of the same backend as {twin.Key}", "keep one of them");
            balancers.Add(balancer);
        }

        return balancers;
    }

    private static bool IsSame(ManifestBalancer one, ManifestBalancer other)
        => one.Agent == other.Agent && one.Balancer == other.Balancer && one.Backend == other.Backend && one.MemberTemplate == other.MemberTemplate;

    private static ManifestBalancer? ReadBalancer(
        ManifestNode.Entry entry, string path, AppName? app, IReadOnlyList<ManifestHost> hosts, ManifestProblems problems)
    {
        if (!HostName.TryParse(entry.Key.Text, out var key, out var reason)) problems.Add(entry.Key.Place, path, ManifestPath.Shown(reason));
        if (NamedPart.Open(entry, path, ManifestKeys.Balancer, problems) is not { } section || key is null) return null;

        var eachHost = section.Has("agent") && section.Scalar("agent")?.Text == EachHost;
        var agent = eachHost ? null : section.Agent(key);
        var balancer = section.Parsed<BalancerName>("balancer", BalancerName.TryParse);
        if (balancer is null && !section.Has("balancer") && !BalancerName.TryParse(key.Value, out balancer, out var why))
            section.Refuse("balancer", $"is missing, and {why}", "write balancer: and the name that its host's agent.yml gives it");
        var backend = section.Parsed<MemberName>("backend", MemberName.TryParse)
            ?? (app is not null && !section.Has("backend") ? MemberName.Parse(app.Value) : null);
        var member = Member(section, hosts, eachHost);
        return (agent is null && !eachHost) || balancer is null || backend is null || member is null
            ? null
            : new ManifestBalancer(key, agent, balancer, backend, member);
    }

    private static string? Member(ManifestSection section, IReadOnlyList<ManifestHost> hosts, bool eachHost)
    {
        var template = section.Text("member") ?? (section.Has("member") ? null : ManifestDefaults.Member);
        if (template is null) return null;
        // A balancer of each host has that host's instances alone.
        if (!eachHost && hosts.Count > 1 && !template.Contains("{host}", StringComparison.Ordinal))
        {
            section.Refuse("member", $"is \"{template}\" for each of {hosts.Count} hosts", "have {host} in it, which stands for the host's name");
            return null;
        }

        if (hosts.Any(h => h.Slots.Count > 1) && !ManifestBalancer.TellsSlotsApart(template))
        {
            section.Refuse("member", $"is \"{template}\" for both slots of a host", "have {slot} in it, which stands for the slot's name");
            return null;
        }

        foreach (var host in hosts)
        {
            var name = ManifestBalancer.Filled(template, host.Name, host.Slot.Name);
            if (MemberName.TryParse(name, out _, out var reason)) continue;
            section.Refuse("member", $"of {host.Name} is no name: {ManifestPath.Shown(reason)}", "write member: \"{host}\", or text with {host} in it, in quotes");
            return null;
        }

        return template;
    }
}
