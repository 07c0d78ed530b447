using System.Diagnostics.CodeAnalysis;

namespace Decant.Names;

/// <summary>Identifies one operation of an agent; chosen by the caller, so that a repetition is recognised.</summary>
public sealed record OperationId
{
    private OperationId(string value) => Value = value;

    /// <summary>The text, as it stands in the contract.</summary>
    public string Value { get; }

    /// <summary>Reads a operation id; <paramref name="reason"/> says in a sentence why it is not one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out OperationId? value, [NotNullWhen(false)] out string? reason)
    {
        reason = NameRules.WhyNotToken(text, "operation id", 128, "._:/-");
        value = reason is null ? new OperationId(text!) : null;
        return reason is null;
    }

    /// <summary>Reads a operation id.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static OperationId Parse(string? text) => NameRules.OrThrow(TryParse(text, out var value, out var reason) ? value : null, reason);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
