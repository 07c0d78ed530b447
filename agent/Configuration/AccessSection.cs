using Decant.Names;

namespace Decant.Agent.Configuration;

/// <summary>Reads the part <c>access</c> of agent.yml.</summary>
internal static class AccessSection
{
    /// <summary>Reads it.</summary>
    public static AccessSettings Read(YamlSection section)
    {
        var access = new AccessSettings
        {
            Certificates = Grants(section.Section("certificates")),
            Users = Grants(section.Section("users")),
            Groups = section.Has("groups") ? Grants(section.Section("groups")) : null,
            Backends = Backends(section.Section("backends")),
        };
        section.RefuseOthers();
        return access;
    }

    private static Dictionary<string, IReadOnlyList<RoleName>> Grants(YamlSection section)
    {
        var grants = section.Keys.ToList().ToDictionary(name => name, name => section.List(name, [], Values.Role));
        section.RefuseOthers();
        return grants;
    }

    private static Dictionary<AppName, IReadOnlyList<MemberName>> Backends(YamlSection section)
    {
        var backends = new Dictionary<AppName, IReadOnlyList<MemberName>>();
        foreach (var key in section.Keys.ToList())
        {
            var names = section.List(key, [], Values.Backend);
            if (AppName.TryParse(key, out var app, out var reason)) backends[app] = names;
            else section.Wrong(key, reason);
        }

        section.RefuseOthers();
        return backends;
    }
}
