using System.Diagnostics.CodeAnalysis;

namespace Decant.Names;

/// <summary>Identifies one execution of a plan; stands in every log line, operation and event that it causes.</summary>
public sealed record DeploymentId
{
    private DeploymentId(string value) => Value = value;

    /// <summary>The text, as it stands in the contract.</summary>
    public string Value { get; }

    /// <summary>Reads a deployment id; <paramref name="reason"/> says in a sentence why it is not one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out DeploymentId? value, [NotNullWhen(false)] out string? reason)
    {
        reason = NameRules.WhyNotToken(text, "deployment id", 128, "._:/-");
        value = reason is null ? new DeploymentId(text!) : null;
        return reason is null;
    }

    /// <summary>Reads a deployment id.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static DeploymentId Parse(string? text) => NameRules.OrThrow(TryParse(text, out var value, out var reason) ? value : null, reason);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
