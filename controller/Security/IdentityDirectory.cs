namespace Decant.Controller.Security;

/// <summary>Where the operator's certificate is, and the CA that agents' certificates must be of.</summary>
/// <param name="Path">Absolute path.</param>
internal sealed record IdentityDirectory(string Path)
{
    /// <summary>The variable that names it.</summary>
    public const string Variable = "DECANT_IDENTITY";

    /// <summary>Of daemons and of a root that has no directory of its own.</summary>
    public const string OfTheHost = "/etc/decant/controller";

    /// <summary>The CA's certificate; agents are believed by it.</summary>
    public string Ca => System.IO.Path.Combine(Path, "ca.pem");

    /// <summary>The operator's certificate, and intermediates behind it.</summary>
    public string Certificate => System.IO.Path.Combine(Path, "operator.pem");

    /// <summary>Its key.</summary>
    public string Key => System.IO.Path.Combine(Path, "operator.key");

    /// <summary>What the CA revoked, where it has revoked anything.</summary>
    public string Revoked => System.IO.Path.Combine(Path, "revoked.pem");

    /// <summary>
    /// The one that is named, else <c>$DECANT_IDENTITY</c>, else <c>$XDG_CONFIG_HOME/decant</c>, else <c>~/.config/decant</c> (XDG Base Directory
    /// Specification 0.8); for root, where that is not there, <see cref="OfTheHost"/>.
    /// </summary>
    /// <param name="named">On the command line; null: it is not.</param>
    /// <param name="environment">Reads an environment variable.</param>
    /// <param name="isRoot">Root asks.</param>
    public static IdentityDirectory Find(string? named, Func<string, string?> environment, bool isRoot)
    {
        var path = named is { Length: > 0 } ? named
            : environment(Variable) is { Length: > 0 } variable ? variable
            : environment("XDG_CONFIG_HOME") is { Length: > 0 } xdg && System.IO.Path.IsPathRooted(xdg) ? System.IO.Path.Combine(xdg, "decant")
            : System.IO.Path.Combine(environment("HOME") is { Length: > 0 } home ? home : "/root", ".config", "decant");
        var isChosen = named is { Length: > 0 } || environment(Variable) is { Length: > 0 };
        return new IdentityDirectory(!isChosen && isRoot && !Directory.Exists(path) && Directory.Exists(OfTheHost) ? OfTheHost : System.IO.Path.GetFullPath(path));
    }
}
