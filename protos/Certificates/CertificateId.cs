using System.Security.Cryptography.X509Certificates;

namespace Decant.Certificates;

/// <summary>A certificate as revocation lists name it.</summary>
/// <param name="Issuer">The issuer's name, DER, in hexadecimal.</param>
/// <param name="Serial">Its serial number in hexadecimal, without leading zeros.</param>
public sealed record CertificateId(string Issuer, string Serial)
{
    /// <summary>Of a certificate.</summary>
    public static CertificateId Of(X509Certificate2 certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        return Of(certificate.IssuerName.RawData, certificate.SerialNumberBytes.Span);
    }

    /// <summary>Of an issuer's name and a serial number, as they are encoded.</summary>
    public static CertificateId Of(ReadOnlySpan<byte> issuer, ReadOnlySpan<byte> serial)
        => new(Convert.ToHexStringLower(issuer), SerialText(serial));

    /// <summary>A serial number as people see it.</summary>
    public static string SerialText(ReadOnlySpan<byte> serial)
        => Convert.ToHexStringLower(serial).TrimStart('0') is { Length: > 0 } text ? text : "0";
}
