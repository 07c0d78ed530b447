using System.Diagnostics.CodeAnalysis;

namespace Decant.Names;

/// <summary>A backend, or a member of one, by the name that the balancer's own configuration gives it.</summary>
public sealed record MemberName
{
    private MemberName(string value) => Value = value;

    /// <summary>The text, as it stands in the contract.</summary>
    public string Value { get; }

    /// <summary>Reads a backend or member name; <paramref name="reason"/> says in a sentence why it is not one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out MemberName? value, [NotNullWhen(false)] out string? reason)
    {
        reason = NameRules.WhyNotToken(text, "name", 128, "._:-");
        value = reason is null ? new MemberName(text!) : null;
        return reason is null;
    }

    /// <summary>Reads a backend or member name.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static MemberName Parse(string? text) => NameRules.OrThrow(TryParse(text, out var value, out var reason) ? value : null, reason);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
