using System.Security.Cryptography.X509Certificates;
using Decant.Certificates;

namespace Decant.Agent.Security;

/// <summary>Who is at the other end of a connection.</summary>
/// <param name="Name">For people: a certificate's subject, a user.</param>
/// <param name="From">The address that it calls from, or "unix".</param>
/// <param name="Rights">What it may do.</param>
internal sealed record Caller(string Name, string From, Rights Rights)
{
    /// <summary>The certificate that says so; null: it called on this machine.</summary>
    public CallerCertificate? Certificate { get; init; }

    /// <summary>It calls over the unix socket.</summary>
    public bool IsLocal { get; init; }

    /// <summary>It came to enrol this host, and may do nothing else.</summary>
    public bool IsForEnrolment { get; init; }
}

/// <summary>A caller's certificate, as the handshake brought it.</summary>
/// <param name="Certificate">The certificate.</param>
/// <param name="Others">Intermediates that came with it.</param>
/// <param name="Chain">When it is valid, and what a revocation list would name.</param>
internal sealed record CallerCertificate(X509Certificate2 Certificate, X509Certificate2Collection Others, TrustedChain Chain)
{
    /// <summary>Its serial number.</summary>
    public string Serial => Chain.Ids[0].Serial;
}
