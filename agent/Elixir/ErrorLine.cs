using Decant.Agent.Operations;

namespace Decant.Agent.Elixir;

/// <summary>The line of a VM's output that says what was raised.</summary>
internal static class ErrorLine
{
    private const string Mark = "** (";

    /// <summary>
    /// What Elixir says, from <c>** (</c> on; null when it says nothing of the kind. Not only at the beginning of a line: a VM that gives up
    /// while it boots writes to standard error past Elixir's own words, and the two get mixed in the middle of lines.
    /// </summary>
    public static string? In(IEnumerable<OutputLine> lines)
        => lines.Select(l => l.Text).FirstOrDefault(text => text.Contains(Mark, StringComparison.Ordinal)) is { } found
            ? found[found.IndexOf(Mark, StringComparison.Ordinal)..]
            : null;
}
