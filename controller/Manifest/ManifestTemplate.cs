using Decant.Names;

namespace Decant.Controller.Manifest;

/// <summary>The commented <c>decant.yml</c> that <c>decant init</c> writes.</summary>
public static class ManifestTemplate
{
    /// <summary>The file's text for an app; valid as it is.</summary>
    public static string For(AppName app) => throw new NotImplementedException(app?.Value);
}
