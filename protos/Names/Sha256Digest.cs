using System.Diagnostics.CodeAnalysis;

namespace Decant.Names;

/// <summary>SHA-256 of a release's archive: 64 lower-case hexadecimal digits.</summary>
public sealed record Sha256Digest
{
    private Sha256Digest(string value) => Value = value;

    /// <summary>All 64 digits.</summary>
    public string Value { get; }

    /// <summary>The first 12 digits, for people.</summary>
    public string Prefix => Value[..12];

    /// <summary>Reads a digest; <paramref name="reason"/> says in a sentence why it is not one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Sha256Digest? value, [NotNullWhen(false)] out string? reason)
    {
        reason = text is { Length: 64 } && text.All(c => c is (>= '0' and <= '9') or (>= 'a' and <= 'f'))
            ? null
            : "digest is not a SHA-256 of 64 lower-case hexadecimal digits";
        value = reason is null ? new Sha256Digest(text!) : null;
        return reason is null;
    }

    /// <summary>Reads a digest.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static Sha256Digest Parse(string? text) => NameRules.OrThrow(TryParse(text, out var value, out var reason) ? value : null, reason);

    /// <summary>The digest of a finished hash.</summary>
    /// <param name="hash">32 bytes.</param>
    public static Sha256Digest FromHash(ReadOnlySpan<byte> hash) => Parse(Convert.ToHexStringLower(hash));

    /// <inheritdoc/>
    public override string ToString() => Value;
}
