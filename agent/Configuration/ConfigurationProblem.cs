using Decant.Errors;

namespace Decant.Agent.Configuration;

/// <summary>One thing that is wrong in a configuration file.</summary>
/// <param name="File">The file as it was named.</param>
/// <param name="Line">From 1; 0 when it is about the whole file.</param>
/// <param name="Column">From 1; 0 when it is about the whole file.</param>
/// <param name="Reason">What is wrong, with the key, and what would be right.</param>
internal sealed record ConfigurationProblem(string File, int Line, int Column, string Reason)
{
    private const int Longest = 1000;

    /// <summary>What is wrong, in words that may have pieces of the file among them.</summary>
    public string Reason { get; init; } = Printable.Line(Reason, Longest);

    /// <summary>As compilers write it, so that editors find the place: <c>agent.yml:3:8: reason</c>.</summary>
    public override string ToString() => Line == 0 ? $"{File}: {Reason}" : $"{File}:{Line}:{Column}: {Reason}";
}
