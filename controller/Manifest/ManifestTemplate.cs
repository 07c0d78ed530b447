using Decant.Names;

namespace Decant.Controller.Manifest;

/// <summary>The commented <c>decant.yml</c> that <c>decant init</c> writes.</summary>
public static class ManifestTemplate
{
    /// <summary>The file's usual name.</summary>
    public const string FileName = "decant.yml";

    /// <summary>The file's text for an app; valid as it is, but for the addresses, which are examples.</summary>
    public static string For(AppName app)
    {
        ArgumentNullException.ThrowIfNull(app);
        return ManifestResource.Read("decant.template.yml")
            .Replace("{{app}}", app.Value, StringComparison.Ordinal)
            .Replace("{{module}}", ModuleOf(app), StringComparison.Ordinal);
    }

    /// <summary>As Elixir camelises an app's name: <c>my_shop</c> is <c>MyShop</c>.</summary>
    private static string ModuleOf(AppName app)
        => string.Concat(app.Value.Split('_', '-').Where(w => w.Length > 0).Select(w => char.ToUpperInvariant(w[0]) + w[1..]));
}
