using System.Text;

namespace Decant.Errors;

/// <summary>Text of others as it may stand in a message: without what would steer a terminal or turn a line around, and not endless.</summary>
public static class Printable
{
    /// <summary>On one line.</summary>
    /// <param name="text">It.</param>
    /// <param name="most">So many characters of it are shown.</param>
    public static string Line(string text, int most = 200)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Length <= most ? Safe(text, ofLines: false) : Safe(text[..most], ofLines: false) + "…";
    }

    /// <summary>On as many lines as it has, and as long as it is.</summary>
    public static string Lines(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Safe(text, ofLines: true);
    }

    private static string Safe(string text, bool ofLines)
    {
        var safe = new StringBuilder(text.Length);
        // Half a surrogate pair comes as U+FFFD.
        foreach (var rune in text.EnumerateRunes()) safe.Append(IsSafe(rune.Value, ofLines) ? rune.ToString() : "\uFFFD");
        return safe.ToString();
    }

    private static bool IsSafe(int character, bool ofLines) => character switch
    {
        '\n' or '\t' => ofLines,
        < ' ' or (>= 0x7F and <= 0x9F) => false,
        // Separators of lines, and what reverses the direction of writing (Unicode, annex 9).
        (>= 0x2028 and <= 0x202E) or (>= 0x2066 and <= 0x2069) => false,
        _ => true,
    };
}
