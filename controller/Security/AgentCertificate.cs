using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Certificates;
using Decant.Controller.Fleet;
using Decant.Errors;

namespace Decant.Controller.Security;

/// <summary>Whether a certificate is that of the agent that was meant.</summary>
internal static class AgentCertificate
{
    /// <summary>Why it is not; null: it is.</summary>
    /// <param name="certificate">What the other side showed.</param>
    /// <param name="others">Intermediates that came with it.</param>
    /// <param name="agent">Who was meant.</param>
    /// <param name="identity">Says which CA is believed.</param>
    /// <param name="now">The time.</param>
    public static OperatorError? WhyNot(
        X509Certificate2? certificate, X509Certificate2Collection others, AgentAddress agent, OperatorIdentity identity, DateTimeOffset now)
    {
        if (certificate is null) return TlsErrors.WrongCa(agent, "it has none");
        if (TrustedChain.Find(certificate, others, identity.Trusted, TrustedChain.ServerUse, out var reason) is not { } chain)
            return TlsErrors.WrongCa(agent, $"{reason} (issuer {certificate.Issuer}, SHA-256 {certificate.GetCertHashString(HashAlgorithmName.SHA256)})");
        if (now > chain.To || now < chain.From) return TlsErrors.NotValidNow(agent, chain.From, chain.To);
        if (identity.Revoked.Any(list => chain.Ids.Any(list.Revoked.Contains))) return TlsErrors.Revoked(agent, chain.Ids[0].Serial);
        return certificate.MatchesHostname(agent.CertifiedName!, allowWildcards: true, allowCommonName: false)
            ? null
            : TlsErrors.WrongHost(agent, SubjectNames.Of(certificate));
    }
}
