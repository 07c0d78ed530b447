using System.Text;

namespace Decant.Agent.Releases;

/// <summary>
/// The tree that an archive describes, as far as it was read: which names are taken, by what, and whether an entry may be added.
/// No file system in it, so nothing outside can be touched however hostile the names are.
/// </summary>
internal sealed class ArchiveTree
{
    private const int MaxDepth = 64;
    private const int MaxNameBytes = 255;
    private const int MaxPathBytes = 1024;

    // Linux follows at most 40 (path_resolution(7)). Few, because each link costs a walk: a release has hardly any.
    private const int MaxLinks = 1000;
    private const int MaxLinksFollowed = 10;

    private readonly Dictionary<string, Node> nodes = new(StringComparer.Ordinal) { [""] = new Node(NodeKind.Directory, Explicit: true) };

    /// <summary>What a name stands for.</summary>
    public enum NodeKind
    {
        Directory,
        File,
        Link,
    }

    /// <summary>Files, directories and links; also directories that the archive only implies.</summary>
    public int Count => nodes.Count - 1;

    /// <summary>Paths of all directories, parents before their children.</summary>
    public IEnumerable<string> Directories => nodes
        .Where(n => n.Value.Kind == NodeKind.Directory && n.Key.Length > 0).Select(n => n.Key).Order(StringComparer.Ordinal);

    /// <summary>Symbolic links: path and target.</summary>
    public IEnumerable<(string Path, string Target)> Links => nodes
        .Where(n => n.Value.Kind == NodeKind.Link).Select(n => (n.Key, n.Value.Target));

    /// <summary>Judges an entry's name: relative, inside the tree, without tricks.</summary>
    /// <returns>The path with single slashes and without "./"; empty for the tree itself.</returns>
    public static string PathOf(string name)
    {
        if (name.StartsWith('/')) throw ReleaseErrors.Unsafe(name, "has an absolute path");
        if (name.Any(char.IsControl)) throw ReleaseErrors.Unsafe(name, "has control characters in its name");
        if (Encoding.UTF8.GetByteCount(name) > MaxPathBytes) throw ReleaseErrors.Unsafe(name, $"has a path longer than {MaxPathBytes} bytes");
        var parts = name.Split('/').Where(p => p.Length > 0 && p != ".").ToArray();
        if (parts.Contains("..")) throw ReleaseErrors.Unsafe(name, "climbs with '..'");
        if (parts.Length > MaxDepth) throw ReleaseErrors.Unsafe(name, $"is more than {MaxDepth} directories deep");
        if (parts.Any(p => Encoding.UTF8.GetByteCount(p) > MaxNameBytes))
            throw ReleaseErrors.Unsafe(name, $"has a name longer than {MaxNameBytes} bytes");
        if (parts is [ReleaseMetadata.FileName, ..]) throw ReleaseErrors.Unsafe(name, "has a name that is the agent's own");
        return string.Join('/', parts);
    }

    /// <summary>Adds a directory.</summary>
    /// <returns>Directories that have to be made, parents first.</returns>
    public IReadOnlyList<string> AddDirectory(string path)
    {
        if (nodes.TryGetValue(path, out var known))
        {
            if (known.Kind != NodeKind.Directory || (known.Explicit && path.Length > 0))
                throw ReleaseErrors.Unsafe(path, "is in the archive twice");
            nodes[path] = known with { Explicit = true };
            return [];
        }

        var made = AddParents(path);
        nodes[path] = new Node(NodeKind.Directory, Explicit: true);
        return [.. made, path];
    }

    /// <summary>Adds a file.</summary>
    /// <returns>Directories that have to be made, parents first.</returns>
    public IReadOnlyList<string> AddFile(string path) => Add(path, new Node(NodeKind.File));

    /// <summary>Adds a symbolic link; its target is judged by <see cref="CheckLinks"/> when the tree is whole.</summary>
    public IReadOnlyList<string> AddLink(string path, string target)
    {
        if (target.Length == 0 || target.Any(char.IsControl))
            throw ReleaseErrors.Unsafe(path, "is a link to a name with control characters or to nothing");
        if (target.StartsWith('/')) throw ReleaseErrors.Unsafe(path, $"is a link to the absolute path {ReleaseErrors.Shown(target)}");
        return Add(path, new Node(NodeKind.Link, Target: target));
    }

    /// <summary>The file that a hard link names.</summary>
    public string HardLinkTarget(string path, string target)
    {
        var file = PathOf(target);
        return nodes.TryGetValue(file, out var node) && node.Kind == NodeKind.File
            ? file
            : throw ReleaseErrors.Unsafe(path, $"is a hard link to {ReleaseErrors.Shown(target)}, which is not a file before it in the archive");
    }

    /// <summary>
    /// Follows every symbolic link as the kernel will, through other links, and refuses those that leave the tree or go in circles.
    /// Looking at the target's text is not enough: "a/../../x" is inside by its text and outside when "a" is itself a link upwards.
    /// </summary>
    public void CheckLinks()
    {
        if (Links.Skip(MaxLinks).Any()) throw ReleaseErrors.TooLarge($"the archive has more than {MaxLinks} symbolic links");
        foreach (var (path, target) in Links)
        {
            var place = new List<string>(path.Split('/')[..^1]);
            var followed = 0;
            Follow(place, target, path, ref followed);
        }
    }

    private void Follow(List<string> place, string target, string link, ref int followed)
    {
        if (++followed > MaxLinksFollowed) throw ReleaseErrors.Unsafe(link, "is a link in a circle or through too many others");
        if (Encoding.UTF8.GetByteCount(target) > MaxPathBytes) throw ReleaseErrors.Unsafe(link, "is a link to a path that is too long");
        foreach (var part in target.Split('/'))
        {
            if (part is "" or ".") continue;
            if (part == "..")
            {
                if (place.Count == 0) throw ReleaseErrors.Unsafe(link, $"is a link out of the release: {ReleaseErrors.Shown(target)}");
                place.RemoveAt(place.Count - 1);
                continue;
            }

            place.Add(part);
            if (nodes.TryGetValue(string.Join('/', place), out var node) && node.Kind == NodeKind.Link)
            {
                place.RemoveAt(place.Count - 1);
                Follow(place, node.Target, link, ref followed);
            }
        }
    }

    private List<string> Add(string path, Node node)
    {
        if (path.Length == 0) throw ReleaseErrors.Unsafe(".", "is not a directory");
        if (nodes.ContainsKey(path)) throw ReleaseErrors.Unsafe(path, "is in the archive twice");
        var made = AddParents(path);
        nodes[path] = node;
        return made;
    }

    private List<string> AddParents(string path)
    {
        var made = new List<string>();
        for (var slash = path.IndexOf('/', StringComparison.Ordinal); slash > 0; slash = path.IndexOf('/', slash + 1))
        {
            var parent = path[..slash];
            if (!nodes.TryGetValue(parent, out var known))
            {
                nodes[parent] = new Node(NodeKind.Directory);
                made.Add(parent);
            }
            else if (known.Kind != NodeKind.Directory)
            {
                var kind = known.Kind == NodeKind.Link ? "link" : "file";
                throw ReleaseErrors.Unsafe(path, $"goes through {ReleaseErrors.Shown(parent)}, which is a {kind}");
            }
        }

        return made;
    }

    private sealed record Node(NodeKind Kind, bool Explicit = false, string Target = "");
}
