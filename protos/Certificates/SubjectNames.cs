using System.Formats.Asn1;
using System.Security.Cryptography.X509Certificates;

namespace Decant.Certificates;

/// <summary>The names that a certificate is for.</summary>
/// <param name="CommonName">The subject's CN; empty: it has none.</param>
/// <param name="DnsNames">Among its subject alternative names.</param>
/// <param name="Uris">Among its subject alternative names.</param>
/// <param name="Mails">Among its subject alternative names.</param>
public sealed record SubjectNames(string CommonName, IReadOnlyList<string> DnsNames, IReadOnlyList<string> Uris, IReadOnlyList<string> Mails)
{
    private const string SubjectAlternativeName = "2.5.29.17";

    // GeneralName of RFC 5280, 4.2.1.6, by its tag.
    private const int MailTag = 1;
    private const int DnsTag = 2;
    private const int UriTag = 6;

    /// <summary>All of them, as an operator may name the certificate by.</summary>
    public IEnumerable<string> All => DnsNames.Concat(Uris).Concat(Mails).Prepend(CommonName).Where(n => n.Length > 0);

    /// <summary>Reads them. Names of other kinds are passed over; the framework matches IP addresses.</summary>
    /// <exception cref="AsnContentException">The extension is not as it should be.</exception>
    public static SubjectNames Of(X509Certificate2 certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        var (dns, uris, mails) = (new List<string>(), new List<string>(), new List<string>());
        foreach (var extension in certificate.Extensions.Where(e => e.Oid?.Value == SubjectAlternativeName))
        {
            var names = new AsnReader(extension.RawData, AsnEncodingRules.DER).ReadSequence();
            while (names.HasData)
            {
                var tag = names.PeekTag();
                var list = tag.TagClass != TagClass.ContextSpecific ? null : tag.TagValue switch { MailTag => mails, DnsTag => dns, UriTag => uris, _ => null };
                if (list is null) names.ReadEncodedValue();
                else list.Add(names.ReadCharacterString(UniversalTagNumber.IA5String, tag));
            }
        }

        return new SubjectNames(certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false), dns, uris, mails);
    }
}
