using System.Diagnostics.CodeAnalysis;

namespace Decant.Names;

/// <summary>A place on a host where one instance of an app runs (<c>main</c>, <c>blue</c>, <c>green</c>).</summary>
public sealed record SlotName
{
    private SlotName(string value) => Value = value;

    /// <summary>The text, as it stands in the contract.</summary>
    public string Value { get; }

    /// <summary>Reads a slot name; <paramref name="reason"/> says in a sentence why it is not one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out SlotName? value, [NotNullWhen(false)] out string? reason)
    {
        reason = NameRules.WhyNotAPlainName(text, "slot");
        value = reason is null ? new SlotName(text!) : null;
        return reason is null;
    }

    /// <summary>Reads a slot name.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static SlotName Parse(string? text) => NameRules.OrThrow(TryParse(text, out var value, out var reason) ? value : null, reason);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
