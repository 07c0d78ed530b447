using System.Diagnostics.CodeAnalysis;

namespace Decant.Names;

/// <summary>A deployable Elixir application by name (<c>shop</c>): 1 to 63 characters of a-z, 0-9, '-' and '_'.</summary>
public sealed record AppName
{
    private AppName(string value) => Value = value;

    /// <summary>The text, as it stands in the contract.</summary>
    public string Value { get; }

    /// <summary>Reads a app name; <paramref name="reason"/> says in a sentence why it is not one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out AppName? value, [NotNullWhen(false)] out string? reason)
    {
        reason = NameRules.WhyNotAPlainName(text, "app");
        value = reason is null ? new AppName(text!) : null;
        return reason is null;
    }

    /// <summary>Reads a app name.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static AppName Parse(string? text) => NameRules.OrThrow(TryParse(text, out var value, out var reason) ? value : null, reason);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
