using System.Diagnostics.CodeAnalysis;

namespace Decant.Controller.Fleet;

/// <summary>A host by the name that the manifest gives it: letters, digits, '.', '-' and '_', at most 253 characters.</summary>
public sealed record HostName
{
    private HostName(string value) => Value = value;

    /// <summary>The name.</summary>
    public string Value { get; }

    /// <summary>Reads a host name; <paramref name="reason"/> says in a sentence why it is not one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out HostName? value, [NotNullWhen(false)] out string? reason)
    {
        reason = string.IsNullOrEmpty(text) ? "host name is missing"
            : text.Length > 253 ? "host name is longer than 253 characters"
            : !char.IsAsciiLetterOrDigit(text[0]) ? $"host name \"{text}\" must begin with a letter or a digit"
            : text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_') ? null
            : $"host name \"{text}\" may have letters, digits, '.', '-' and '_' only";
        value = reason is null ? new HostName(text!) : null;
        return reason is null;
    }

    /// <summary>Reads a host name.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static HostName Parse(string? text) => TryParse(text, out var value, out var reason) ? value : throw new FormatException(reason);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
