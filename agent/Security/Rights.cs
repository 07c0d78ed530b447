using Decant.Names;

namespace Decant.Agent.Security;

/// <summary>What a caller may do, made of its roles.</summary>
/// <param name="IsAdmin">Everything.</param>
/// <param name="Apps">Changes these apps.</param>
/// <param name="MayRead">Reads everything: every role does.</param>
internal sealed record Rights(bool IsAdmin, IReadOnlySet<AppName> Apps, bool MayRead)
{
    /// <summary>Of a caller without a role.</summary>
    public static Rights None { get; } = new(IsAdmin: false, new HashSet<AppName>(), MayRead: false);

    /// <summary>Of an admin.</summary>
    public static Rights Admin { get; } = Of([new RoleName.Admin()]);

    /// <summary>Of roles, each of which adds to the others.</summary>
    public static Rights Of(IEnumerable<RoleName> roles)
    {
        var all = roles.ToList();
        return new Rights(all.OfType<RoleName.Admin>().Any(), all.OfType<RoleName.Deployer>().Select(d => d.App).ToHashSet(), all.Count > 0);
    }

    /// <summary>Whether it changes that app.</summary>
    public bool MayDeploy(string app) => IsAdmin || (AppName.TryParse(app, out var name, out _) && Apps.Contains(name));

    /// <summary>As it is told to people: "deployer:shop", "no role".</summary>
    public override string ToString()
        => IsAdmin ? "admin"
            : Apps.Count > 0 ? string.Join(", ", Apps.Select(a => $"deployer:{a}").Order(StringComparer.Ordinal))
            : MayRead ? "observer"
            : "no role";
}
