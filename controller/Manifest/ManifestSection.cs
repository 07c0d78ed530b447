using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Decant.Controller.Fleet;

namespace Decant.Controller.Manifest;

/// <summary>
/// One part of the manifest: refuses keys that it does not know, and gives out values by type. A value that is wrong is
/// reported once and then stands for its default, so that reading goes on and finds the rest.
/// </summary>
internal sealed class ManifestSection
{
    private readonly ManifestNode.Mapping _node;
    private readonly IReadOnlyList<string> _known;

    /// <summary>Opens a part and reports the keys in it that are not <paramref name="known"/>.</summary>
    public ManifestSection(ManifestNode.Mapping node, string path, IReadOnlyList<string> known, ManifestProblems problems)
    {
        (_node, Path, _known, Problems) = (node, path, known, problems);
        foreach (var entry in node.Entries.Where(e => !known.Contains(e.Key.Text)))
        {
            problems.Add(
                entry.Key.Place,
                path,
                $"unknown key `{ManifestPath.Shown(entry.Key.Text)}`",
                ManifestKeys.SuggestionFor(entry.Key.Text, known));
        }
    }

    /// <summary>A part's text, read by the rules of a type.</summary>
    public delegate bool TryParse<T>(string? text, [NotNullWhen(true)] out T? value, [NotNullWhen(false)] out string? reason)
        where T : class;

    /// <summary>Keys from the top.</summary>
    public string Path { get; }

    /// <summary>Where errors go.</summary>
    public ManifestProblems Problems { get; }

    /// <summary>Where the part begins.</summary>
    public Place Place => _node.Place;

    /// <summary>The key stands in the file.</summary>
    public bool Has(string key) => Find(key) is not null;

    /// <summary>Reports an error of one of the part's keys, or of the whole part where the key is missing.</summary>
    public void Refuse(string key, string reason, string suggestion = "")
        => Problems.Add(Find(key)?.Value.Place ?? Place, PathOf(key), reason, suggestion);

    /// <summary>A part of this part; null where it is missing or wrong.</summary>
    public ManifestSection? Part(string key, IReadOnlyList<string> known)
        => Mapping(key) is { } mapping ? new ManifestSection(mapping, PathOf(key), known, Problems) : null;

    /// <summary>A part whose keys are the operator's own; null where it is missing or wrong.</summary>
    public ManifestNode.Mapping? Mapping(string key)
    {
        switch (Find(key)?.Value)
        {
            case null or ManifestNode.Refused:
                return null;
            case ManifestNode.Mapping mapping:
                return mapping;
            case ManifestNode.Scalar { IsNull: true }:
                Refuse(key, "is empty", "fill it in or remove the line");
                return null;
            case ManifestNode.Sequence:
                Refuse(key, "is a list, where keys and values are wanted", "write it without dashes: key: value");
                return null;
            default:
                Refuse(key, "is a single value, where keys and values are wanted", $"write {key}: {{ key: value }}, or one key a line below it");
                return null;
        }
    }

    /// <summary>A single value; null where it is missing or none.</summary>
    public ManifestNode.Scalar? Scalar(string key)
    {
        switch (Find(key)?.Value)
        {
            case ManifestNode.Scalar { IsNull: true }:
                Refuse(key, "is empty", "fill it in or remove the line");
                return null;
            case ManifestNode.Scalar scalar:
                return scalar;
            case ManifestNode.Mapping:
                Refuse(key, "has keys and values, where a single value is wanted", $"write {key}: value");
                return null;
            case ManifestNode.Sequence:
                Refuse(key, "is a list, where a single value is wanted", $"write {key}: value");
                return null;
            default:
                return null;
        }
    }

    /// <summary>Text without control characters.</summary>
    public string? Text(string key, int maxLength = 255)
    {
        if (Scalar(key) is not { Text: var text }) return null;
        if (text.Length > maxLength) Refuse(key, $"has {text.Length} characters", $"at most {maxLength} are allowed");
        else if (text.Any(char.IsControl)) Refuse(key, "has a character that is not printable", "remove it");
        else return text;
        return null;
    }

    /// <summary>A list of words; empty where it is missing or wrong.</summary>
    public IReadOnlyList<string> Words(string key, string example)
    {
        switch (Find(key)?.Value)
        {
            case null or ManifestNode.Refused:
                return [];
            case ManifestNode.Sequence list when list.Items.All(i => i is ManifestNode.Scalar { IsNull: false }):
                if (list.Items.Count == 0) Refuse(key, "is empty", $"write {example}, or remove the line");
                return [.. list.Items.Cast<ManifestNode.Scalar>().Select(i => i.Text)];
            default:
                Refuse(key, "is not a list of words", $"write {example}");
                return [];
        }
    }

    /// <summary>An Elixir expression, which may have several lines.</summary>
    public string? Expression(string key, string example)
    {
        const int MaxLength = 4096;
        if (Scalar(key) is not { Text: var text }) return null;
        if (string.IsNullOrWhiteSpace(text)) Refuse(key, "is empty", $"write an Elixir expression, as in {example}");
        else if (text.Length > MaxLength) Refuse(key, $"has {text.Length} characters, at most {MaxLength} are allowed", "put it into a function of the release");
        else if (text.Contains('\0', StringComparison.Ordinal)) Refuse(key, "has a NUL character", "remove it");
        else return text.Trim();
        return null;
    }

    /// <summary>A value with a type of its own, such as a name.</summary>
    public T? Parsed<T>(string key, TryParse<T> tryParse)
        where T : class
    {
        if (Scalar(key) is not { Text: var text }) return null;
        if (tryParse(text, out var value, out var reason)) return value;
        Refuse(key, reason);
        return null;
    }

    /// <summary>A whole number within its rule.</summary>
    public int Whole(string key, WholeRule rule)
    {
        if (Scalar(key) is not { } scalar) return rule.Default;
        if (scalar.Quoted && int.TryParse(scalar.Text, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            Refuse(key, $"is \"{scalar.Text}\", a text", $"write it without quotes: {key}: {scalar.Text}");
        else if (scalar.Quoted || !long.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
            Refuse(key, $"is \"{ManifestPath.Shown(scalar.Text)}\", not a whole number", $"write a number from {rule.Min} to {rule.Max}, as in {key}: {rule.Default}");
        else if (number < rule.Min || number > rule.Max)
            Refuse(key, $"is {number}", $"must be from {rule.Min} to {rule.Max}");
        else
            return (int)number;
        return rule.Default;
    }

    /// <summary><c>true</c> or <c>false</c>.</summary>
    public bool Flag(string key, bool fallback)
    {
        if (Scalar(key) is not { } scalar) return fallback;
        if (!scalar.Quoted && scalar.Text is "true" or "false") return scalar.Text == "true";
        var meant = scalar.Text.ToLowerInvariant() is "yes" or "on" or "true" or "1" ? "true"
            : scalar.Text.ToLowerInvariant() is "no" or "off" or "false" or "0" ? "false" : "true or false";
        Refuse(key, $"is \"{ManifestPath.Shown(scalar.Text)}\", neither true nor false", $"write {key}: {meant}");
        return fallback;
    }

    /// <summary>A duration within its rule.</summary>
    public TimeSpan Duration(string key, DurationRule rule)
    {
        if (Scalar(key) is not { Text: var text }) return rule.Default;
        var example = $"write a number with ms, s, m or h, as in {key}: {DurationText.Format(rule.Default)}";
        if (text.StartsWith('-') && DurationText.TryParse(text[1..], out _)) Refuse(key, $"is {text}", "a duration cannot be negative");
        else if (text.Length is > 0 and < 10 && text.All(char.IsAsciiDigit)) Refuse(key, $"is {text} without a unit", $"did you mean {text}s? {example}");
        else if (!DurationText.TryParse(text, out var duration)) Refuse(key, $"is \"{ManifestPath.Shown(text)}\", not a duration", example);
        else if (duration < rule.Min || duration > rule.Max)
            Refuse(key, $"is {text}", $"must be from {DurationText.Format(rule.Min)} to {DurationText.Format(rule.Max)}");
        else return duration;
        return rule.Default;
    }

    /// <summary>Where an agent listens; <paramref name="name"/> and the default port when the part does not say.</summary>
    public AgentAddress? Agent(HostName name)
    {
        if (Has("agent")) return Parsed<AgentAddress>("agent", AgentAddress.TryParse);
        if (AgentAddress.TryParse(name.Value, out var address, out _)) return address;
        Refuse("agent", $"is missing, and {name} is not an address", $"write agent: address:{AgentAddress.DefaultPort}");
        return null;
    }

    private ManifestNode.Entry? Find(string key)
        => _known.Contains(key)
            ? _node.Entries.FirstOrDefault(e => e.Key.Text == key)
            : throw new ArgumentException($"{Path} does not know {key}", nameof(key));

    private string PathOf(string key) => ManifestPath.Join(Path, key);
}
