using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Certificates;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Security;

/// <summary>
/// A CA of Decant's own: issues certificates for hosts (servers only) and operators (clients only, with their roles). ECDSA with P-256 throughout. Its key never
/// leaves its file.
/// </summary>
internal sealed class CertificateAuthority : IDisposable
{
    /// <summary>How long certificates of hosts are valid unless said otherwise.</summary>
    public static readonly TimeSpan HostLife = TimeSpan.FromDays(180);

    /// <summary>Those of operators.</summary>
    public static readonly TimeSpan OperatorLife = TimeSpan.FromDays(90);

    private static readonly TimeSpan OwnLife = TimeSpan.FromDays(3650);

    // Clocks differ; a certificate that is used at once must be valid on a host that is a little behind.
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(10);

    private readonly CaDirectory directory;

    private CertificateAuthority(CaDirectory directory, X509Certificate2 certificate) => (this.directory, Certificate) = (directory, certificate);

    /// <summary>Its certificate, with the key.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>Its certificate, as others get it.</summary>
    public string Pem => Certificate.ExportCertificatePem() + "\n";

    /// <summary>SHA-256 of its certificate.</summary>
    public byte[] Fingerprint => SHA256.HashData(Certificate.RawData);

    /// <summary>Makes one.</summary>
    /// <exception cref="OperatorException">CA_EXISTS.</exception>
    public static CertificateAuthority Create(CaDirectory directory, string name, DateTimeOffset now)
    {
        if (File.Exists(directory.Key) || File.Exists(directory.Certificate))
        {
            throw new OperatorException(new OperatorError(
                StatusCode.AlreadyExists, "CA_EXISTS", $"there is a CA already: {directory.Certificate}", "use it, or name another directory with --identity"));
        }

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(Named(name), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var certificate = request.CreateSelfSigned(now - ClockSkew, now + OwnLife);
        SecretFile.Write(directory.Key, key.ExportPkcs8PrivateKeyPem() + "\n");
        SecretFile.Write(directory.Certificate, certificate.ExportCertificatePem() + "\n");
        return new CertificateAuthority(directory, certificate);
    }

    /// <summary>Opens the one that is there.</summary>
    /// <exception cref="OperatorException">NO_CA or CA_UNUSABLE.</exception>
    public static CertificateAuthority Open(CaDirectory directory)
    {
        if (!File.Exists(directory.Key))
        {
            throw new OperatorException(new OperatorError(
                StatusCode.FailedPrecondition,
                "NO_CA",
                $"there is no CA here: {directory.Key} is not there",
                "`decant ca init` makes one; where there is one already, run this on the machine that has it, or with --identity"));
        }

        try
        {
            return new CertificateAuthority(directory, X509Certificate2.CreateFromPemFile(directory.Certificate, directory.Key));
        }
        catch (Exception exception) when (exception is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new OperatorException(
                new OperatorError(StatusCode.FailedPrecondition, "CA_UNUSABLE", $"the CA in {directory.Path} cannot be used: {exception.Message}", "see ca.pem and ca.key there"),
                exception);
        }
    }

    /// <summary>A host's certificate, PEM.</summary>
    /// <param name="names">The names and addresses that it is for; the first one is its subject.</param>
    /// <param name="key">Its key.</param>
    /// <param name="now">The time.</param>
    public string IssueHost(IReadOnlyList<string> names, PublicKey key, DateTimeOffset now) => Issue(
        names[0],
        key,
        TrustedChain.ServerUse,
        alternative =>
        {
            foreach (var name in names.Distinct())
            {
                if (IPAddress.TryParse(name, out var address)) alternative.AddIpAddress(address);
                else alternative.AddDnsName(name);
            }
        },
        now,
        HostLife);

    /// <summary>An operator's certificate, PEM.</summary>
    /// <param name="name">Its subject.</param>
    /// <param name="roles">What it may do.</param>
    /// <param name="key">Its key.</param>
    /// <param name="now">The time.</param>
    /// <param name="life">How long it is valid.</param>
    public string IssueOperator(string name, IReadOnlyList<RoleName> roles, PublicKey key, DateTimeOffset now, TimeSpan life) => Issue(
        name,
        key,
        TrustedChain.ClientUse,
        alternative =>
        {
            foreach (var role in roles) alternative.AddUri(new Uri(role.Urn));
        },
        now,
        life);

    /// <summary>A new certificate for the names of an earlier one, PEM.</summary>
    public string RenewHost(X509Certificate2 earlier, PublicKey key, DateTimeOffset now)
    {
        var names = SubjectNames.Of(earlier);
        var addresses = earlier.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(e => e.EnumerateIPAddresses()).Select(a => a.ToString());
        return IssueHost([.. names.DnsNames.Prepend(names.CommonName).Concat(addresses)], key, now);
    }

    /// <summary>The last certificate that it issued to a host of that name or address and did not revoke; null: none.</summary>
    public X509Certificate2? LastIssuedTo(string name) => Issued()
        .Where(c => c.IsForServers && c.Certificate.MatchesHostname(name, allowWildcards: false, allowCommonName: false) && !c.IsRevoked)
        .MaxBy(c => c.Certificate.NotBefore)?.Certificate;

    /// <summary>Whether it issued a certificate.</summary>
    public bool HasIssued(X509Certificate2 certificate) => TrustedChain.Find(certificate, [], [Certificate], TrustedChain.ClientUse, out _) is not null;

    /// <summary>All that it issued.</summary>
    public IEnumerable<IssuedCertificate> Issued()
    {
        var revoked = Lists().SelectMany(l => l.Revoked).ToHashSet();
        if (!Directory.Exists(directory.AllIssued)) yield break;
        foreach (var file in Directory.EnumerateFiles(directory.AllIssued, "*.pem").Order(StringComparer.Ordinal))
        {
            var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(file));
            yield return new IssuedCertificate(certificate, revoked.Contains(CertificateId.Of(certificate)));
        }
    }

    /// <summary>The number of its last list; 0: it has revoked nothing.</summary>
    public ulong RevocationNumber => Lists().Select(l => (ulong)l.Number).DefaultIfEmpty().Max();

    /// <summary>Its last list; empty: it has revoked nothing.</summary>
    public string RevokedPem => File.Exists(directory.Revoked) ? File.ReadAllText(directory.Revoked) : "";

    /// <summary>Revokes certificates: a new list, with those before.</summary>
    public void Revoke(IEnumerable<X509Certificate2> certificates, DateTimeOffset now)
    {
        var number = System.Numerics.BigInteger.Zero;
        var list = RevokedPem.Length > 0 ? CertificateRevocationListBuilder.LoadPem(RevokedPem, out number) : new CertificateRevocationListBuilder();
        foreach (var certificate in certificates)
        {
            list.RemoveEntry(certificate.SerialNumberBytes.Span);
            list.AddEntry(certificate, now);
        }

        // Agents use a list that is past this all the same: nobody is locked out by a machine that was switched off.
        var made = list.Build(Certificate, number + 1, now + OwnLife, HashAlgorithmName.SHA256, thisUpdate: now - ClockSkew);
        SecretFile.Write(directory.Revoked, PemEncoding.WriteString("X509 CRL", made) + "\n");
    }

    /// <summary>Which list an agent has.</summary>
    public ulong Delivered(string agent) => ReadDelivered().GetValueOrDefault(agent);

    /// <summary>Remembers it.</summary>
    public void NoteDelivered(string agent, ulong number)
    {
        var all = ReadDelivered();
        all[agent] = number;
        SecretFile.Write(directory.Delivered, string.Concat(all.Select(d => $"{d.Key} {d.Value}\n")));
    }

    private IReadOnlyList<RevocationList> Lists()
        => RevokedPem is { Length: > 0 } pem ? RevocationList.ReadAll(System.Text.Encoding.UTF8.GetBytes(pem), [Certificate]) : [];

    private SortedDictionary<string, ulong> ReadDelivered()
    {
        var all = new SortedDictionary<string, ulong>(StringComparer.Ordinal);
        if (!File.Exists(directory.Delivered)) return all;
        foreach (var line in File.ReadLines(directory.Delivered))
        {
            if (line.Split(' ') is [var agent, var text] && ulong.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var number)) all[agent] = number;
        }

        return all;
    }

    /// <inheritdoc/>
    public void Dispose() => Certificate.Dispose();

    private string Issue(string name, PublicKey key, string use, Action<SubjectAlternativeNameBuilder> addNames, DateTimeOffset now, TimeSpan life)
    {
        var request = new CertificateRequest(Named(name), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(use)], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(Certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var alternative = new SubjectAlternativeNameBuilder();
        addNames(alternative);
        request.CertificateExtensions.Add(alternative.Build());
        var to = now + life;
        using var issued = request.Create(Certificate, now - ClockSkew, to < Certificate.NotAfter ? to : Certificate.NotAfter, Serial());
        var pem = issued.ExportCertificatePem() + "\n";
        // Revoking and renewing need to know what there is.
        SecretFile.Write(directory.Issued(CertificateId.Of(issued).Serial), pem);
        return pem;
    }

    private static X500DistinguishedName Named(string name)
    {
        var builder = new X500DistinguishedNameBuilder();
        builder.AddCommonName(name);
        return builder.Build();
    }

    // RFC 5280, 4.1.2.2: positive, at most 20 octets; CA/Browser Forum: at least 64 random bits.
    private static byte[] Serial()
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)((serial[0] & 0x7F) | 0x40);
        return serial;
    }
}

/// <summary>A certificate that a CA issued.</summary>
/// <param name="Certificate">The certificate.</param>
/// <param name="IsRevoked">It was revoked since.</param>
internal sealed record IssuedCertificate(X509Certificate2 Certificate, bool IsRevoked)
{
    /// <summary>Whose it is.</summary>
    public SubjectNames Names { get; } = SubjectNames.Of(Certificate);

    /// <summary>Its serial number.</summary>
    public string Serial => CertificateId.Of(Certificate).Serial;

    /// <summary>It is a host's.</summary>
    public bool IsForServers => Certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().Any(e => e.EnhancedKeyUsages[TrustedChain.ServerUse] is not null);
}
