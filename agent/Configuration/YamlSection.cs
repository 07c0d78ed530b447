using Decant.Errors;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Decant.Agent.Configuration;

/// <summary>
/// A mapping of a YAML file that is being read: gives the values of its keys, collects everything that is wrong with its place, and in
/// the end refuses the keys that nobody asked for. What is wrong or missing reads as its fallback.
/// </summary>
internal sealed class YamlSection
{
    private readonly YamlMappingNode? mapping;
    private readonly Dictionary<string, YamlScalarNode> keys = new(StringComparer.Ordinal);
    private readonly string path;
    private readonly string file;
    private readonly List<ConfigurationProblem> problems;
    private readonly OrderedDictionary<string, bool> asked = new(StringComparer.Ordinal);

    private YamlSection(YamlNode? node, string path, string file, List<ConfigurationProblem> problems)
    {
        this.path = path;
        this.file = file;
        this.problems = problems;
        mapping = node as YamlMappingNode;
        foreach (var key in mapping?.Children.Keys.OfType<YamlScalarNode>() ?? []) keys.TryAdd(key.Value ?? "", key);
        if (node is not null && mapping is null && !IsNothing(node))
            Wrong(node, $"{(path.Length == 0 ? "the file" : path)} must be a mapping of keys to values, not {Kind(node)}");
    }

    /// <summary>The whole of a file.</summary>
    public static YamlSection Root(YamlNode? node, string file, List<ConfigurationProblem> problems) => new(node, "", file, problems);

    /// <summary>Keys as they are written, for mappings whose keys are names.</summary>
    public IEnumerable<string> Keys => keys.Keys;

    /// <summary>A mapping below this one; an empty one when it is not there.</summary>
    public YamlSection Section(string key) => new(Find(key), PathOf(key), file, problems);

    /// <summary>A value.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="fallback">What it is when it is missing (or wrong).</param>
    /// <param name="read">Reads the text; returns the value, or why it is none.</param>
    public T Value<T>(string key, T fallback, Func<string, Read<T>> read)
    {
        if (Find(key) is not { } node || IsNothing(node)) return fallback;
        if (node is not YamlScalarNode { Value: { } text })
        {
            Wrong(node, $"{PathOf(key)} must be a single value, not {Kind(node)}");
            return fallback;
        }

        var result = read(text);
        if (result.Problem is null) return result.Value!;
        Wrong(node, $"{PathOf(key)}: {result.Problem}");
        return fallback;
    }

    /// <summary>A list of values; a single one counts as a list of one.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="fallback">What it is when it is missing (or wrong).</param>
    /// <param name="read">Reads one of them.</param>
    public IReadOnlyList<T> List<T>(string key, IReadOnlyList<T> fallback, Func<string, Read<T>> read)
    {
        if (Find(key) is not { } node || IsNothing(node)) return fallback;
        if (node is not YamlSequenceNode list) list = new YamlSequenceNode(node);
        var values = new List<T>();
        foreach (var item in list.Children)
        {
            var result = item is YamlScalarNode { Value: { } text } ? read(text) : Read<T>.Not($"must be a single value, not {Kind(item)}");
            if (result.Problem is null) values.Add(result.Value!);
            else Wrong(item, $"{PathOf(key)}: {result.Problem}");
        }

        return values.Count == 0 && list.Children.Count > 0 ? fallback : values;
    }

    /// <summary>Whether a key is there with a value.</summary>
    public bool Has(string key) => Find(key) is { } node && !IsNothing(node);

    /// <summary>Whether a key has a single value, where it may have a mapping instead.</summary>
    public bool HasValue(string key) => Find(key) is YamlScalarNode node && !IsNothing(node);

    /// <summary>Notes that the value of a key is wrong (or, without a value, the mapping as a whole).</summary>
    public void Wrong(string key, string reason) => Wrong((YamlNode?)KeyNode(key) ?? mapping, $"{PathOf(key)}: {reason}");

    /// <summary>Refuses a key of which the reader knows better than that it is unknown.</summary>
    public void Refuse(string key, string reason)
    {
        if (KeyNode(key) is null) return;
        asked[key] = true;
        Wrong(key, reason);
    }

    /// <summary>Refuses the keys that were not asked for, each with the known one that was probably meant.</summary>
    public void RefuseOthers()
    {
        if (mapping is null) return;
        foreach (var key in mapping.Children.Keys)
        {
            if (key is not YamlScalarNode { Value: { } name })
            {
                Wrong(key, $"{Kind(key)} cannot be a key here");
            }
            else if (!asked.ContainsKey(name))
            {
                var meant = Suggestion.For(name, asked.Keys) is { } word ? $"did you mean \"{word}\"?" : $"known keys here: {string.Join(", ", asked.Keys)}";
                Wrong(key, $"unknown key \"{PathOf(name)}\"; {meant}");
            }
        }
    }

    private YamlNode? Find(string key)
    {
        asked[key] = true;
        return mapping is not null && KeyNode(key) is { } found ? mapping.Children[found] : null;
    }

    private YamlScalarNode? KeyNode(string key) => keys.GetValueOrDefault(key);

    private string PathOf(string key) => path.Length == 0 ? key : $"{path}.{key}";

    private void Wrong(YamlNode? node, string reason)
        => problems.Add(new ConfigurationProblem(file, (int)(node?.Start.Line ?? 0), (int)(node?.Start.Column ?? 0), reason));

    private static bool IsNothing(YamlNode node)
        => node is YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" };

    private static string Kind(YamlNode node) => node switch
    {
        YamlSequenceNode => "a list",
        YamlMappingNode => "a mapping",
        YamlScalarNode scalar => $"\"{scalar.Value}\"",
        _ => "this",
    };
}

/// <summary>What reading a text came to: a value, or why it is none.</summary>
/// <param name="Value">The value, when there is no problem.</param>
/// <param name="Problem">What is wrong and what would be right.</param>
internal readonly record struct Read<T>(T? Value, string? Problem)
{
    public static implicit operator Read<T>(T value) => new(value, null);

    /// <summary>It is not one.</summary>
    public static Read<T> Not(string problem) => new(default, problem);
}
