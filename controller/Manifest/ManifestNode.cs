namespace Decant.Controller.Manifest;

/// <summary>Where something stands in the file, both from 1.</summary>
internal readonly record struct Place(int Line, int Column);

/// <summary>A node of the document, with its place. Anchors, tags and aliases are not part of it: they are refused.</summary>
internal abstract record ManifestNode(Place Place)
{
    /// <summary>A value.</summary>
    /// <param name="Text">Without quotes.</param>
    /// <param name="Quoted">It stood in quotes or in a block, so it is text and neither a number nor null.</param>
    public sealed record Scalar(Place Place, string Text, bool Quoted) : ManifestNode(Place)
    {
        /// <summary>Nothing was written, or one of YAML's words for nothing.</summary>
        public bool IsNull => !Quoted && Text is "" or "~" or "null" or "Null" or "NULL";
    }

    /// <summary>Keys and values, in the order of the file, each key once.</summary>
    public sealed record Mapping(Place Place, IReadOnlyList<Entry> Entries) : ManifestNode(Place);

    /// <summary>A list.</summary>
    public sealed record Sequence(Place Place, IReadOnlyList<ManifestNode> Items) : ManifestNode(Place);

    /// <summary>Something that was refused already, of which nothing more is to be said.</summary>
    public sealed record Refused(Place Place) : ManifestNode(Place);

    /// <summary>A key with its value.</summary>
    public sealed record Entry(Scalar Key, ManifestNode Value);
}
