using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Decant.EndToEnd.Harness;

/// <summary>A CA of a test's own, which issues whatever the test wants. Written against the standards and not with Decant's own code.</summary>
internal sealed class TestCa : IDisposable
{
    private readonly CertificateRevocationListBuilder revoked = new();
    private int lists;

    public TestCa(string name = "test CA")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        Certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-30), DateTimeOffset.UtcNow.AddDays(30));
    }

    public X509Certificate2 Certificate { get; }

    public string Pem => Certificate.ExportCertificatePem();

    /// <summary>For a client.</summary>
    /// <param name="name">Its subject.</param>
    /// <param name="roles">Its roles: "deployer:demo".</param>
    /// <param name="from">Valid from; an hour ago when missing.</param>
    /// <param name="to">Valid to; in a day when missing.</param>
    public X509Certificate2 Operator(string name, IEnumerable<string> roles, DateTimeOffset? from = null, DateTimeOffset? to = null) => Issue(
        name,
        "1.3.6.1.5.5.7.3.2",
        names =>
        {
            foreach (var role in roles) names.AddUri(new Uri($"urn:decant:role:{role}"));
        },
        from,
        to);

    /// <summary>For an agent on loopback.</summary>
    public X509Certificate2 Host(string name, DateTimeOffset? from = null, DateTimeOffset? to = null) => Issue(
        name,
        "1.3.6.1.5.5.7.3.1",
        names =>
        {
            names.AddDnsName(name);
            names.AddIpAddress(IPAddress.Loopback);
        },
        from,
        to);

    /// <summary>A list with this one and those before it.</summary>
    public string Revoke(X509Certificate2 certificate)
    {
        revoked.AddEntry(certificate);
        return PemEncoding.WriteString("X509 CRL", revoked.Build(Certificate, ++lists, DateTimeOffset.UtcNow.AddDays(7), HashAlgorithmName.SHA256));
    }

    /// <summary>Writes a certificate and its key as PEM, the key for its owner only.</summary>
    public static void Write(X509Certificate2 certificate, string file, string key)
    {
        File.WriteAllText(file, certificate.ExportCertificatePem());
        File.WriteAllText(key, certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    public void Dispose() => Certificate.Dispose();

    private X509Certificate2 Issue(string name, string use, Action<SubjectAlternativeNameBuilder> addNames, DateTimeOffset? from, DateTimeOffset? to)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(use)], critical: false));
        var names = new SubjectAlternativeNameBuilder();
        addNames(names);
        var extension = names.Build();
        if (extension.RawData.Length > 2) request.CertificateExtensions.Add(extension);
        using var issued = request.Create(
            Certificate, from ?? DateTimeOffset.UtcNow.AddHours(-1), to ?? DateTimeOffset.UtcNow.AddDays(1), RandomNumberGenerator.GetBytes(16));
        return issued.CopyWithPrivateKey(key);
    }
}
