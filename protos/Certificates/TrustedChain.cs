using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Decant.Certificates;

/// <summary>
/// A certificate that a trusted CA issued for a use, with what is between them. Whether it is valid now is another question, asked at each
/// call: <see cref="From"/>, <see cref="To"/> and a revocation list answer it.
/// </summary>
/// <param name="From">When all of the chain are valid: from,</param>
/// <param name="To">and to.</param>
/// <param name="Ids">The certificate and its intermediates; not the CA, which its own file revokes.</param>
public sealed record TrustedChain(DateTimeOffset From, DateTimeOffset To, IReadOnlyList<CertificateId> Ids)
{
    /// <summary>Extended key usage (RFC 5280, 4.2.1.12): for servers.</summary>
    public const string ServerUse = "1.3.6.1.5.5.7.3.1";

    /// <summary>Extended key usage: for clients.</summary>
    public const string ClientUse = "1.3.6.1.5.5.7.3.2";

    /// <summary>Looks whether a CA that is trusted here issued it.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="others">Intermediates that came with it.</param>
    /// <param name="trusted">The CAs' own certificates.</param>
    /// <param name="use">What it must be for; one that does not say is for everything.</param>
    /// <param name="reason">Why it is not trusted.</param>
    /// <returns>The chain; null with a reason.</returns>
    public static TrustedChain? Find(
        X509Certificate2 certificate, X509Certificate2Collection others, X509Certificate2Collection trusted, string use, out string reason)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        using var chain = new X509Chain
        {
            ChainPolicy =
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                // Dates are looked at by the caller, with its own clock; revocation lists are files, and nothing is fetched.
                VerificationFlags = X509VerificationFlags.IgnoreNotTimeValid,
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
                ApplicationPolicy = { new Oid(use) },
            },
        };
        chain.ChainPolicy.CustomTrustStore.AddRange(trusted);
        chain.ChainPolicy.ExtraStore.AddRange(others);
        if (!chain.Build(certificate))
        {
            reason = Reason(chain.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, one) => all | one.Status));
            return null;
        }

        reason = "";
        var links = chain.ChainElements.Select(e => e.Certificate).ToList();
        var found = new TrustedChain(
            links.Max(c => new DateTimeOffset(c.NotBefore)), links.Min(c => new DateTimeOffset(c.NotAfter)), [.. links.SkipLast(1).Select(CertificateId.Of)]);
        foreach (var link in links) link.Dispose();
        return found;
    }

    private static string Reason(X509ChainStatusFlags status)
        => status.HasFlag(X509ChainStatusFlags.NotValidForUsage) ? "it is not for this use"
            : (status & (X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain)) != 0 ? "it is of another CA"
            : status.HasFlag(X509ChainStatusFlags.NotSignatureValid) ? "its signature is not that of the CA"
            : $"{status}";
}
