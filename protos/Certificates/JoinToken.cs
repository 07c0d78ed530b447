using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Certificates;

/// <summary>What lets one host be enrolled once: see enrolment.proto. Its text is a secret; printing the record does not show it.</summary>
public sealed class JoinToken
{
    private const string Prefix = "decant1-";
    private const int SecretBytes = 32;
    private const int SumBytes = 4;

    private readonly V1.JoinTokenContent content;

    private JoinToken(V1.JoinTokenContent content) => this.content = content;

    /// <summary>Which token it is; says nothing of the secret.</summary>
    public ReadOnlyMemory<byte> Id => SHA256.HashData(content.Secret.Span).AsMemory(0, 8);

    /// <summary>What both sides know.</summary>
    public ReadOnlyMemory<byte> Secret => content.Secret.Memory;

    /// <summary>From then on it is of no use.</summary>
    public DateTimeOffset ExpiresAt => content.ExpiresAt.ToDateTimeOffset();

    /// <summary>SHA-256 of the CA's certificate.</summary>
    public ReadOnlyMemory<byte> CaFingerprint => content.CaFingerprint.Memory;

    /// <summary>The host, for people.</summary>
    public string Host => content.Host;

    /// <summary>Makes one.</summary>
    /// <param name="host">The host's name.</param>
    /// <param name="caFingerprint">SHA-256 of the CA's certificate.</param>
    /// <param name="expiresAt">Until when.</param>
    public static JoinToken Create(string host, ReadOnlySpan<byte> caFingerprint, DateTimeOffset expiresAt) => new(new V1.JoinTokenContent
    {
        Secret = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(SecretBytes)),
        ExpiresAt = Timestamp.FromDateTimeOffset(expiresAt),
        CaFingerprint = ByteString.CopyFrom(caFingerprint),
        Host = host,
    });

    /// <summary>Reads one; <paramref name="reason"/> says in a sentence why it is none.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out JoinToken? token, [NotNullWhen(false)] out string? reason)
    {
        token = Read(text);
        reason = token is null ? "this is not a token of `decant host enroll`, or not all of it; copy the whole line" : null;
        return token is not null;
    }

    /// <summary>As it is copied to the host. It is a secret.</summary>
    public string Reveal()
    {
        var bytes = content.ToByteArray();
        return Prefix + Base64Url.EncodeToString([.. bytes, .. SHA256.HashData(bytes).AsSpan(0, SumBytes)]);
    }

    /// <inheritdoc/>
    public override string ToString() => $"token of {Host}";

    private static JoinToken? Read(string? text)
    {
        var trimmed = text?.Trim() ?? "";
        if (!trimmed.StartsWith(Prefix, StringComparison.Ordinal)) return null;
        try
        {
            var bytes = Base64Url.DecodeFromChars(trimmed.AsSpan(Prefix.Length));
            var content = bytes.AsSpan(..^SumBytes);
            if (!SHA256.HashData(content).AsSpan(0, SumBytes).SequenceEqual(bytes.AsSpan(^SumBytes..))) return null;
            var read = V1.JoinTokenContent.Parser.ParseFrom(content);
            return read is { Secret.Length: SecretBytes, CaFingerprint.Length: SHA256.HashSizeInBytes, ExpiresAt: not null } ? new JoinToken(read) : null;
        }
        catch (Exception exception) when (exception is FormatException or InvalidProtocolBufferException or ArgumentOutOfRangeException)
        {
            return null;
        }
    }
}
