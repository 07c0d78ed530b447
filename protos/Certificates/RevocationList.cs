using System.Formats.Asn1;
using System.Numerics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Decant.Certificates;

/// <summary>
/// A certificate revocation list (RFC 5280, 5), its signature checked. The framework writes them and cannot say what is in one.
/// </summary>
/// <param name="Number">Its number, which grows; 0: it has none.</param>
/// <param name="IssuedAt">When it was made.</param>
/// <param name="NextUpdate">When its CA promised the next one; null: it did not.</param>
/// <param name="Revoked">The certificates.</param>
public sealed record RevocationList(BigInteger Number, DateTimeOffset IssuedAt, DateTimeOffset? NextUpdate, IReadOnlySet<CertificateId> Revoked)
{
    private const string Label = "X509 CRL";
    private const string NumberExtension = "2.5.29.20";

    private static readonly Asn1Tag Extensions = new(TagClass.ContextSpecific, 0);

    /// <summary>Reads the lists of a file: PEM, one or several, or a single one as DER.</summary>
    /// <param name="file">Its content.</param>
    /// <param name="issuers">Who may have signed them.</param>
    /// <exception cref="CryptographicException">One of them is damaged, or not signed by one of these.</exception>
    public static IReadOnlyList<RevocationList> ReadAll(ReadOnlySpan<byte> file, X509Certificate2Collection issuers)
    {
        ArgumentNullException.ThrowIfNull(issuers);
        if (file is [0x30, ..]) return [Read(file.ToArray(), issuers)];
        var lists = new List<RevocationList>();
        var text = Encoding.UTF8.GetString(file).AsSpan();
        while (PemEncoding.TryFind(text, out var fields))
        {
            if (text[fields.Label] is Label) lists.Add(Read(Convert.FromBase64String(text[fields.Base64Data].ToString()), issuers));
            text = text[fields.Location.End..];
        }

        return lists.Count > 0 ? lists : throw new CryptographicException($"there is no \"{Label}\" in it");
    }

    private static RevocationList Read(byte[] der, X509Certificate2Collection issuers)
    {
        try
        {
            var outer = new AsnReader(der, AsnEncodingRules.DER).ReadSequence();
            var signed = outer.ReadEncodedValue();
            var algorithm = outer.ReadSequence().ReadObjectIdentifier();
            var signature = outer.ReadBitString(out _);
            outer.ThrowIfNotEmpty();

            var list = new AsnReader(signed, AsnEncodingRules.DER).ReadSequence();
            if (list.PeekTag().HasSameClassAndValue(Asn1Tag.Integer)) list.ReadInteger();
            list.ReadSequence();
            var issuer = list.ReadEncodedValue();
            if (!issuers.Any(i => i.SubjectName.RawData.AsSpan().SequenceEqual(issuer.Span) && IsSignedBy(i, algorithm, signed.Span, signature)))
                throw new CryptographicException("it is not signed by the CA");
            var issuedAt = Time(list);
            DateTimeOffset? next = list.HasData && IsTime(list.PeekTag()) ? Time(list) : null;
            var revoked = new HashSet<CertificateId>();
            if (list.HasData && list.PeekTag().HasSameClassAndValue(Asn1Tag.Sequence))
            {
                var entries = list.ReadSequence();
                while (entries.HasData) revoked.Add(CertificateId.Of(issuer.Span, entries.ReadSequence().ReadIntegerBytes().Span));
            }

            return new RevocationList(list.HasData ? ReadNumber(list.ReadSequence(Extensions).ReadSequence()) : 0, issuedAt, next, revoked);
        }
        catch (AsnContentException exception)
        {
            throw new CryptographicException($"it is not a revocation list: {exception.Message}", exception);
        }
    }

    /// <summary>A list that says something essential which is not understood here must not be used (RFC 5280, 5.2).</summary>
    private static BigInteger ReadNumber(AsnReader extensions)
    {
        BigInteger number = 0;
        while (extensions.HasData)
        {
            var extension = extensions.ReadSequence();
            var name = extension.ReadObjectIdentifier();
            var isCritical = extension.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean) && extension.ReadBoolean();
            var value = extension.ReadOctetString();
            if (name == NumberExtension) number = new AsnReader(value, AsnEncodingRules.DER).ReadInteger();
            else if (isCritical) throw new CryptographicException($"it has the critical extension {name}: only whole lists of one CA can be used");
        }

        return number;
    }

    private static bool IsSignedBy(X509Certificate2 issuer, string algorithm, ReadOnlySpan<byte> signed, byte[] signature)
    {
        var (isRsa, hash) = algorithm switch
        {
            "1.2.840.10045.4.3.2" => (false, HashAlgorithmName.SHA256),
            "1.2.840.10045.4.3.3" => (false, HashAlgorithmName.SHA384),
            "1.2.840.10045.4.3.4" => (false, HashAlgorithmName.SHA512),
            "1.2.840.113549.1.1.11" => (true, HashAlgorithmName.SHA256),
            "1.2.840.113549.1.1.12" => (true, HashAlgorithmName.SHA384),
            "1.2.840.113549.1.1.13" => (true, HashAlgorithmName.SHA512),
            _ => throw new CryptographicException($"its signature algorithm {algorithm} is not one of ECDSA and RSA with SHA-2"),
        };
        if (isRsa)
        {
            using var rsa = issuer.GetRSAPublicKey();
            return rsa?.VerifyData(signed, signature, hash, RSASignaturePadding.Pkcs1) is true;
        }

        using var ecdsa = issuer.GetECDsaPublicKey();
        return ecdsa?.VerifyData(signed, signature, hash, DSASignatureFormat.Rfc3279DerSequence) is true;
    }

    private static bool IsTime(Asn1Tag tag) => tag.HasSameClassAndValue(Asn1Tag.UtcTime) || tag.HasSameClassAndValue(Asn1Tag.GeneralizedTime);

    private static DateTimeOffset Time(AsnReader reader)
        => reader.PeekTag().HasSameClassAndValue(Asn1Tag.UtcTime) ? reader.ReadUtcTime() : reader.ReadGeneralizedTime();
}
