namespace Decant.Controller.Manifest;

/// <summary>Reads environment variables: any scalar is taken as the text that stands there.</summary>
internal static class EnvironmentSection
{
    /// <summary>The part's <c>env</c> over the variables given.</summary>
    public static IReadOnlyDictionary<string, string> Read(ManifestSection section, IReadOnlyDictionary<string, string> over)
    {
        var variables = new SortedDictionary<string, string>(over.ToDictionary(), StringComparer.Ordinal);
        var path = ManifestPath.Join(section.Path, "env");
        foreach (var (key, value) in section.Mapping("env")?.Entries ?? [])
        {
            var at = ManifestPath.Join(path, key.Text);
            if (!IsName(key.Text))
                section.Problems.Add(key.Place, path, $"`{ManifestPath.Shown(key.Text)}` is not the name of a variable", "use letters, digits and '_', not beginning with a digit");
            else if (WhereItIsSet(key.Text) is { } where)
                section.Problems.Add(key.Place, at, "is set by the agent", where);
            else if (TextOf(value, at, section.Problems) is { } text)
                variables[key.Text] = text;
        }

        return variables;
    }

    private static bool IsName(string name)
        => name.Length is > 0 and <= 255 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');

    /// <summary>For variables that decide whether two versions can live side by side: which part of the manifest sets them.</summary>
    private static string? WhereItIsSet(string name) => name switch
    {
        "PORT" => "write port: under `slot` or the host instead",
        "RELEASE_NODE" or "RELEASE_NAME" => "write node: under `slot` or the host instead",
        "RELEASE_DISTRIBUTION" => "it follows from node: under `slot` or the host; distribution: false runs without",
        "RELEASE_COOKIE" => "a cookie is a secret and never stands in the manifest; the agent sees to it on the host",
        "RELEASE_TMP" => "each slot has its own; the host's agent.yml says where",
        _ when name.StartsWith("RELEASE_", StringComparison.Ordinal) => "variables named RELEASE_* are the release's own; choose another name",
        _ when name.StartsWith("DECANT_", StringComparison.Ordinal) => "variables named DECANT_* are Decant's own; choose another name",
        _ => null,
    };

    private static string? TextOf(ManifestNode value, string at, ManifestProblems problems)
    {
        switch (value)
        {
            case ManifestNode.Scalar { IsNull: true }:
                problems.Add(value.Place, at, "is empty", "write \"\" for an empty value, or remove the line");
                return null;
            case ManifestNode.Scalar scalar when scalar.Text.Contains('\0', StringComparison.Ordinal):
                problems.Add(value.Place, at, "has a NUL character, which no environment can hold", "remove it");
                return null;
            case ManifestNode.Scalar scalar:
                return scalar.Text;
            case ManifestNode.Refused:
                return null;
            default:
                problems.Add(value.Place, at, "is not a single value", "write NAME: value; a list goes into quotes as the app wants it");
                return null;
        }
    }
}
