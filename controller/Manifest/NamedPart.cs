namespace Decant.Controller.Manifest;

/// <summary>A part under a name of the operator's own, which may be empty when all its defaults are right.</summary>
internal static class NamedPart
{
    /// <summary>Opens the part; null when it is not made of keys and values, which is then reported.</summary>
    public static ManifestSection? Open(ManifestNode.Entry entry, string path, IReadOnlyList<string> known, ManifestProblems problems)
    {
        switch (entry.Value)
        {
            case ManifestNode.Mapping mapping:
                return new ManifestSection(mapping, path, known, problems);
            case ManifestNode.Scalar { IsNull: true }:
                return new ManifestSection(new ManifestNode.Mapping(entry.Key.Place, []), path, known, problems);
            case ManifestNode.Refused:
                return null;
            default:
                problems.Add(
                    entry.Value.Place,
                    path,
                    "is not made of keys and values",
                    $"write {ManifestPath.Shown(entry.Key.Text)}: {{ agent: address:port }}, or nothing for the defaults");
                return null;
        }
    }
}
