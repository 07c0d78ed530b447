using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Names;

namespace Decant.Controller.Security;

/// <summary>Makes an operator's identity: a new key, its certificate, and the CA to believe agents by.</summary>
internal static class OwnCertificate
{
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
