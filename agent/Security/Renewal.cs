using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Decant.Agent.Configuration;
using Decant.Certificates;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Security;

/// <summary>
/// Renews this host's certificate when a controller that has the CA asks, and takes over what the CA revoked. The certificate in use serves on until the new one
/// is on the disk; connections go on.
/// </summary>
internal sealed partial class Renewal(AgentConfiguration configuration, HostTls tls, TimeProvider time, ILogger<Renewal> logger) : IDisposable
{
    private readonly Lock gate = new();
    private ECDsa? pending;

    /// <summary>Whether the agent may write its certificate's files: those that agent.yml names are somebody else's.</summary>
    public bool IsRenewable => configuration.Listen.Tls is { } settings && settings == new TlsSettings(settings.Directory) && tls.Identity is not null;

    /// <summary>A certificate request with a new key, which is used when the certificate for it comes; of several, the last.</summary>
    /// <exception cref="OperatorException">NOT_RENEWABLE.</exception>
    public byte[] Begin()
    {
        Refuse();
        lock (gate)
        {
            pending?.Dispose();
            pending = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            return new CertificateRequest(tls.Identity!.Certificate.SubjectName, pending, HashAlgorithmName.SHA256).CreateSigningRequest();
        }
    }

    /// <summary>Takes the new certificate.</summary>
    /// <param name="pem">The certificate.</param>
    /// <exception cref="OperatorException">CERTIFICATE_UNUSABLE: it is not taken, and the one in use stays.</exception>
    public void Complete(string pem)
    {
        Refuse();
        lock (gate)
        {
            if (pending is not { } key) throw new OperatorException(EnrolmentErrors.Unusable("no renewal was begun, or the agent was started again since"));
            Check(pem, key);
            HostFiles.Install(configuration.Listen.Tls!, pem, key, ca: null);
            tls.Reload();
            if (tls.Problem is { } problem) throw new OperatorException(EnrolmentErrors.Unusable(problem));
            pending = null;
            key.Dispose();
            LogRenewed(tls.Identity!.Certificate.NotAfter.ToUniversalTime());
        }
    }

    /// <summary>Takes a newer revocation list over; an older one changes nothing.</summary>
    /// <param name="pem">The list.</param>
    /// <returns>The number of the list that counts now.</returns>
    /// <exception cref="OperatorException">REVOCATIONS_UNUSABLE: it is not one of a CA that is trusted here.</exception>
    public ulong Revoke(string pem)
    {
        Refuse();
        lock (gate)
        {
            try
            {
                var list = RevocationList.ReadAll(Encoding.UTF8.GetBytes(pem), tls.Identity!.Trusted);
                if (list.Max(l => l.Number) <= tls.Identity.RevocationNumber) return tls.Identity.RevocationNumber;
                HostFiles.Write(configuration.Listen.Tls!.Revoked, pem);
            }
            catch (CryptographicException exception)
            {
                throw new OperatorException(
                    new OperatorError(StatusCode.InvalidArgument, "REVOCATIONS_UNUSABLE", $"the revocation list cannot be used: {exception.Message}"), exception);
            }

            tls.Reload();
            LogRevoked(tls.Identity.RevocationNumber, tls.Identity.Revoked.Sum(l => l.Revoked.Count));
            return tls.Identity.RevocationNumber;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => pending?.Dispose();

    private void Refuse()
    {
        if (IsRenewable) return;
        throw new OperatorException(new OperatorError(
            StatusCode.FailedPrecondition,
            "NOT_RENEWABLE",
            tls.Identity is null ? "this host has no certificate yet" : "agent.yml names certificates of your own, which the agent does not write",
            tls.Identity is null ? "enrol it: `decant host enroll`" : "renew them where you made them: the agent reads them again when they change"));
    }

    private void Check(string pem, ECDsa key)
    {
        try
        {
            X509Certificate2Collection chain = [];
            chain.ImportFromPem(pem);
            if (chain.Count == 0) throw new OperatorException(EnrolmentErrors.Unusable("there is none"));
            using var leaf = chain[0];
            chain.RemoveAt(0);
            using var theirs = leaf.GetECDsaPublicKey();
            if (theirs?.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo()) is not true)
                throw new OperatorException(EnrolmentErrors.Unusable("it is for another key"));
            if (TrustedChain.Find(leaf, chain, tls.Identity!.Trusted, TrustedChain.ServerUse, out var reason) is not { } found)
                throw new OperatorException(EnrolmentErrors.Unusable(reason));
            var now = time.GetUtcNow();
            if (found.From > now || found.To < now) throw new OperatorException(EnrolmentErrors.Unusable("by this host's clock it is not valid now"));
        }
        catch (CryptographicException exception)
        {
            throw new OperatorException(EnrolmentErrors.Unusable(exception.Message), exception);
        }
    }

    [LoggerMessage(160, LogLevel.Information, "The certificate of this host was renewed, valid until {Until:u}")]
    private partial void LogRenewed(DateTime until);

    [LoggerMessage(161, LogLevel.Warning, "Revocation list {Number} taken over: {Count} certificates are revoked")]
    private partial void LogRevoked(ulong number, int count);
}
