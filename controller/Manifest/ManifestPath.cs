using Decant.Errors;

namespace Decant.Controller.Manifest;

/// <summary>Names a place in the document by its keys from the top: <c>hosts.web1.port</c>.</summary>
internal static class ManifestPath
{
    private const int LongestKey = 80;

    /// <summary>One key further down. What is not printable or very long is shown so that it does no harm in a terminal.</summary>
    public static string Join(string path, string key) => path.Length == 0 ? Shown(key) : $"{path}.{Shown(key)}";

    /// <summary>A piece of the file, fit to be printed.</summary>
    public static string Shown(string text) => Printable.Line(text, LongestKey);
}
