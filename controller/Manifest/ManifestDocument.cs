using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Decant.Controller.Manifest;

/// <summary>
/// Reads YAML into nodes with places, from the parser's events rather than YamlDotNet's own tree: that stops at the first duplicate
/// key, and its recursion has no bound.
/// </summary>
internal sealed class ManifestDocument
{
    private const int MaxDepth = 16;
    private const string HowToBeYaml = "see that quotes and braces are closed and that lines are indented evenly, by spaces";

    private readonly Parser _parser;
    private readonly ManifestProblems _problems;

    private ManifestDocument(string text, ManifestProblems problems)
    {
        _parser = new Parser(new StringReader(text));
        _problems = problems;
    }

    /// <summary>Reads the one document of the text; null when there is none that could be read on.</summary>
    public static ManifestNode? Read(string text, ManifestProblems problems)
    {
        var document = new ManifestDocument(text, problems);
        try
        {
            return document.ReadDocument();
        }
        catch (TooDeepException deep)
        {
            problems.Add(deep.Place, "", $"is nested more than {MaxDepth} levels deep", "a manifest has five levels at most");
        }
        catch (YamlException bad)
        {
            if (TabIndentation(text, bad) is { } tab) problems.Add(tab, "", "is indented by a tab", "YAML wants spaces: replace the tabs");
            else problems.Add(PlaceOf(bad.Start), "", $"is not YAML: {bad.Message.TrimEnd('.', ' ').ReplaceLineEndings(" ")}", HowToBeYaml);
        }
        catch (Exception broken) when (broken is InvalidOperationException or ArgumentException or IndexOutOfRangeException or FormatException)
        {
            // YamlDotNet's scanner gives up like this on some texts, such as a tab where a value was begun.
            problems.Add(PlaceOf(document._parser.Current?.End ?? Mark.Empty), "", "is not YAML from here on", HowToBeYaml);
        }

        return null;
    }

    private ManifestNode? ReadDocument()
    {
        ManifestNode? root = null;
        while (_parser.MoveNext())
        {
            switch (_parser.Current)
            {
                case DocumentStart start when root is not null:
                    _problems.Add(PlaceOf(start.Start), "", "has a second document", "one manifest is one document: remove the line ---");
                    return root;
                case NodeEvent or AnchorAlias:
                    root = ReadNode("", 0);
                    break;
            }
        }

        return root;
    }

    private ManifestNode ReadNode(string path, int depth)
    {
        var current = _parser.Current!;
        var place = PlaceOf(current.Start);
        if (depth > MaxDepth) throw new TooDeepException(place);
        if (current is NodeEvent node) RefuseExtras(node, place, path);
        switch (current)
        {
            case Scalar scalar:
                return new ManifestNode.Scalar(place, scalar.Value, scalar.Style is not (ScalarStyle.Plain or ScalarStyle.Any));
            case MappingStart:
                return ReadMapping(place, path, depth);
            case SequenceStart:
                var items = new List<ManifestNode>();
                while (Next() is not SequenceEnd) items.Add(ReadNode(path, depth + 1));
                return new ManifestNode.Sequence(place, items);
            default:
                _problems.Add(place, path, "is a YAML alias", "write the value out: a manifest has neither anchors nor aliases");
                return new ManifestNode.Refused(place);
        }
    }

    private ManifestNode.Mapping ReadMapping(Place place, string path, int depth)
    {
        var entries = new List<ManifestNode.Entry>();
        var first = new Dictionary<string, Place>(StringComparer.Ordinal);
        while (Next() is not MappingEnd)
        {
            var key = ReadNode(path, depth + 1);
            var keyPath = key is ManifestNode.Scalar scalar ? ManifestPath.Join(path, scalar.Text) : path;
            Next();
            var value = ReadNode(keyPath, depth + 1);
            if (key is not ManifestNode.Scalar name)
            {
                if (key is not ManifestNode.Refused) _problems.Add(key.Place, path, "has a key that is not a word", "write key: value");
            }
            else if (!first.TryAdd(name.Text, name.Place))
            {
                _problems.Add(name.Place, keyPath, $"stands there twice, first on line {first[name.Text].Line}", "keep one of them");
            }
            else
            {
                entries.Add(new ManifestNode.Entry(name, value));
            }
        }

        return new ManifestNode.Mapping(place, entries);
    }

    private void RefuseExtras(NodeEvent node, Place place, string path)
    {
        if (!node.Anchor.IsEmpty)
            _problems.Add(place, path, $"has the YAML anchor &{node.Anchor.Value}", "write the value out: a manifest has neither anchors nor aliases");
        if (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific)
            _problems.Add(place, path, $"has the YAML tag {node.Tag.Value}", "remove it: the manifest knows its types");
    }

    private ParsingEvent? Next() => _parser.MoveNext() ? _parser.Current : throw new SyntaxErrorException("ends in the middle");

    private static Place PlaceOf(Mark mark) => new((int)Math.Max(1, mark.Line), (int)Math.Max(1, mark.Column));

    /// <summary>
    /// Where a line is indented by a tab, when that is what the parser stumbled over: it names the place where the mapping began, or
    /// the tab's own.
    /// </summary>
    private static Place? TabIndentation(string text, YamlException bad)
    {
        var lines = text.Split('\n');
        var from = PlaceOf(bad.Start).Line;
        var upTo = bad.Message.Contains("tab", StringComparison.Ordinal) ? lines.Length : Math.Min(lines.Length, from);
        for (var line = from; line <= upTo; line++)
        {
            var indentation = lines[line - 1].TakeWhile(c => c is ' ' or '\t').ToList();
            if (indentation.Contains('\t')) return new Place(line, indentation.IndexOf('\t') + 1);
        }

        return null;
    }

    private sealed class TooDeepException(Place place) : Exception
    {
        public Place Place { get; } = place;
    }
}
