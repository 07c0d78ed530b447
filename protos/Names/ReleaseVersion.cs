using System.Diagnostics.CodeAnalysis;
using Decant.Errors;

namespace Decant.Names;

/// <summary>A release's version as <c>releases/start_erl.data</c> has it (<c>1.4.2</c>, <c>0.1.0-rc.1+build.5</c>).</summary>
public sealed record ReleaseVersion
{
    private ReleaseVersion(string value) => Value = value;

    /// <summary>The text, as it stands in the contract.</summary>
    public string Value { get; }

    /// <summary>Reads a release version; <paramref name="reason"/> says in a sentence why it is not one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ReleaseVersion? value, [NotNullWhen(false)] out string? reason)
    {
        // It becomes a directory's name, where a dot in front means "hidden", and an argument, where a dash means "option".
        reason = text is ['.' or '-', ..] ? $"version \"{Printable.Line(text, 80)}\" must begin with a letter or a digit" : NameRules.WhyNotToken(text, "version", 128, "._+-");
        value = reason is null ? new ReleaseVersion(text!) : null;
        return reason is null;
    }

    /// <summary>Reads a release version.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static ReleaseVersion Parse(string? text) => NameRules.OrThrow(TryParse(text, out var value, out var reason) ? value : null, reason);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
