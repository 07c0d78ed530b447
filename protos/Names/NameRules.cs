using System.Diagnostics.CodeAnalysis;
using Decant.Errors;

namespace Decant.Names;

/// <summary>What the names of the contract may look like: the rules that <c>common.proto</c> states, in code.</summary>
internal static class NameRules
{
    /// <summary>Says why <paramref name="text"/> is not a plain name, or nothing when it is one.</summary>
    public static string? WhyNotAPlainName(string? text, string what)
    {
        if (string.IsNullOrEmpty(text)) return $"{what} is missing";
        if (text.Length > 63) return $"{what} has {text.Length} characters, at most 63 are allowed";
        foreach (var c in text)
        {
            if (c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '-' or '_'))
                return $"{what} \"{Shown(text)}\" has the character {Shown(c)}; allowed are a-z, 0-9, '-' and '_'";
        }

        return text[0] is '-' or '_' || text[^1] is '-' ? $"{what} \"{text}\" must begin and end with a letter or a digit" : null;
    }

    /// <summary>Says why <paramref name="text"/> is not made of <paramref name="extra"/> and ASCII letters and digits.</summary>
    public static string? WhyNotToken(string? text, string what, int maxLength, string extra)
    {
        if (string.IsNullOrEmpty(text)) return $"{what} is missing";
        if (text.Length > maxLength) return $"{what} has {text.Length} characters, at most {maxLength} are allowed";
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !extra.Contains(c, StringComparison.Ordinal))
                return $"{what} \"{Shown(text)}\" has the character {Shown(c)}; allowed are letters, digits and any of {extra}";
        }

        return null;
    }

    /// <summary>Creates a value or throws <see cref="FormatException"/> with the reason.</summary>
    public static T OrThrow<T>([NotNull] T? value, string? reason)
        where T : class
        => value ?? throw new FormatException(reason);

    private static string Shown(char c) => char.IsControl(c) ? $"U+{(int)c:X4}" : $"'{c}'";

    private static string Shown(string text) => Printable.Line(text, 80);
}
