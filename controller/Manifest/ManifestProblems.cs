using Decant.Errors;

namespace Decant.Controller.Manifest;

/// <summary>Collects what is wrong with a manifest; bounded, because a file of garbage has more errors than anybody reads.</summary>
internal sealed class ManifestProblems
{
    private const int Limit = 100;
    private const int Longest = 1000;

    private readonly List<ManifestError> _errors = [];
    private int _beyondLimit;

    /// <summary>Something is wrong.</summary>
    public bool Any => _errors.Count > 0;

    /// <summary>Adds one.</summary>
    public void Add(Place place, string path, string reason, string suggestion = "")
    {
        if (_errors.Count < Limit) _errors.Add(new ManifestError(place.Line, place.Column, path, Printable.Line(reason, Longest), Printable.Line(suggestion, Longest)));
        else _beyondLimit++;
    }

    /// <summary>All of them, in the order of the file.</summary>
    public IReadOnlyList<ManifestError> InOrder()
    {
        var ordered = _errors.OrderBy(e => e.Line).ThenBy(e => e.Column).ToList();
        if (_beyondLimit > 0)
            ordered.Add(new ManifestError(ordered[^1].Line, ordered[^1].Column, "", $"and {_beyondLimit} more errors", "correct these first"));
        return ordered;
    }
}
