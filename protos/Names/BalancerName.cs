using System.Diagnostics.CodeAnalysis;

namespace Decant.Names;

/// <summary>A balancer by the name that its host's agent.yml gives it.</summary>
public sealed record BalancerName
{
    private BalancerName(string value) => Value = value;

    /// <summary>The text, as it stands in the contract.</summary>
    public string Value { get; }

    /// <summary>Reads a balancer name; <paramref name="reason"/> says in a sentence why it is not one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out BalancerName? value, [NotNullWhen(false)] out string? reason)
    {
        reason = NameRules.WhyNotAPlainName(text, "balancer");
        value = reason is null ? new BalancerName(text!) : null;
        return reason is null;
    }

    /// <summary>Reads a balancer name.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static BalancerName Parse(string? text) => NameRules.OrThrow(TryParse(text, out var value, out var reason) ? value : null, reason);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
