using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Names;

namespace Decant.Controller.Security;

/// <summary>Makes an operator's identity: a new key, its certificate, and the CA to believe agents by.</summary>
internal static class OwnCertificate
{
    /// <summary>Reads the certificate of an identity, without its key; null: there is none that can be read.</summary>
    public static IssuedCertificate? Read(IdentityDirectory directory)
    {
        try
        {
            return File.Exists(directory.Certificate) ? new IssuedCertificate(X509Certificate2.CreateFromPem(File.ReadAllText(directory.Certificate)), IsRevoked: false) : null;
        }
        catch (Exception exception) when (exception is CryptographicException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Renews the certificate of an identity; its name, roles, length of life and key stay, so that one file changes and others who read it meanwhile see a whole one.</summary>
    /// <returns>When it expires.</returns>
    public static DateTimeOffset Renew(CertificateAuthority authority, IdentityDirectory directory, IssuedCertificate own, DateTimeOffset now)
    {
        var roles = own.Names.Uris.Select(RoleName.OfUrn).OfType<RoleName>().ToList();
        var pem = authority.IssueOperator(own.Names.CommonName, roles, own.Certificate.PublicKey, now, own.Certificate.NotAfter - own.Certificate.NotBefore);
        SecretFile.Write(directory.Certificate, pem);
        using var certificate = X509Certificate2.CreateFromPem(pem);
        return certificate.NotAfter;
    }

    /// <summary>Makes it and writes it into a directory.</summary>
    /// <param name="authority">The CA.</param>
    /// <param name="directory">Where it goes.</param>
    /// <param name="name">Whose it is.</param>
    /// <param name="roles">What it may do.</param>
    /// <param name="now">The time.</param>
    /// <param name="life">How long it is valid.</param>
    /// <returns>When it expires.</returns>
    public static DateTimeOffset Make(
        CertificateAuthority authority, IdentityDirectory directory, string name, IReadOnlyList<RoleName> roles, DateTimeOffset now, TimeSpan life)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var pem = authority.IssueOperator(name, roles, new PublicKey(key), now, life);
        SecretFile.Write(directory.Ca, authority.Pem);
        SecretFile.Write(directory.Key, key.ExportPkcs8PrivateKeyPem() + "\n");
        SecretFile.Write(directory.Certificate, pem);
        using var certificate = X509Certificate2.CreateFromPem(pem);
        return certificate.NotAfter;
    }
}
