using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Decant.Certificates;

/// <summary>Shows that one side of an enrolment knows the token's secret and sees the same connection as the other: see enrolment.proto.</summary>
public static class EnrolmentProof
{
    /// <summary>Server name (SNI) of enrolment connections.</summary>
    public const string ServerName = "enrolment.decant.internal";

    /// <summary>Bytes of a nonce.</summary>
    public const int NonceBytes = 32;

    /// <summary>The agent's.</summary>
    public static byte[] OfAgent(JoinToken token, EnrolmentView view)
    {
        ArgumentNullException.ThrowIfNull(token);
        ArgumentNullException.ThrowIfNull(view);
        return Make(token, "decant-enrolment-1 agent", view, []);
    }

    /// <summary>The controller's, which vouches for what it sends.</summary>
    public static byte[] OfController(JoinToken token, EnrolmentView view, string certificate, string ca)
    {
        ArgumentNullException.ThrowIfNull(token);
        ArgumentNullException.ThrowIfNull(view);
        return Make(token, "decant-enrolment-1 controller", view, [SHA256.HashData(Encoding.UTF8.GetBytes(certificate)), SHA256.HashData(Encoding.UTF8.GetBytes(ca))]);
    }

    /// <summary>Compares without telling by its time how far it got.</summary>
    public static bool AreSame(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other) => CryptographicOperations.FixedTimeEquals(one, other);

    private static byte[] Make(JoinToken token, string label, EnrolmentView view, byte[][] more)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, token.Secret.Span);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (var field in (byte[][])[Encoding.UTF8.GetBytes(label), view.Certificate, view.ControllerNonce, view.AgentNonce, SHA256.HashData(view.Request), .. more])
        {
            BinaryPrimitives.WriteInt32BigEndian(length, field.Length);
            hmac.AppendData(length);
            hmac.AppendData(field);
        }

        return hmac.GetHashAndReset();
    }
}

/// <summary>What one side of an enrolment sees.</summary>
/// <param name="Certificate">SHA-256 of the agent's certificate on the connection.</param>
/// <param name="ControllerNonce">Random bytes of the controller.</param>
/// <param name="AgentNonce">Random bytes of the agent.</param>
/// <param name="Request">The agent's certificate request, DER.</param>
public sealed record EnrolmentView(byte[] Certificate, byte[] ControllerNonce, byte[] AgentNonce, byte[] Request);
