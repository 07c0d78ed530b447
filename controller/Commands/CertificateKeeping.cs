using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Decant.Controller.Security;
using Decant.Errors;

namespace Decant.Controller.Commands;

/// <summary>
/// What a command does in passing on the machine that has the CA: certificates that are two thirds through their life are renewed, the operator's own before the command,
/// those of the manifest's agents after it, and agents are told what was revoked since.
/// </summary>
internal sealed class CertificateKeeping : IDisposable
{
    private readonly CommandSession session;
    private readonly CertificateAuthority authority;

    private CertificateKeeping(CommandSession session, CertificateAuthority authority) => (this.session, this.authority) = (session, authority);

    /// <summary>Here; null: this machine has no CA, or one that cannot be used, which is told.</summary>
    public static CertificateKeeping? Here(CommandSession session)
    {
        var directory = CaDirectory.Of(session.Identities.Directory);
        if (!File.Exists(directory.Key)) return null;
        try
        {
            return new CertificateKeeping(session, CertificateAuthority.Open(directory));
        }
        catch (OperatorException exception)
        {
            session.Terminal.Note($"certificates are not renewed: {exception.Error.Message}");
            return null;
        }
    }

    /// <summary>Renews the operator's own certificate when it is time; its name, roles and length of life stay.</summary>
    /// <param name="always">Also when it is not.</param>
    /// <returns>When the new one expires; null: it was not time.</returns>
    public DateTimeOffset? RenewOwn(bool always = false)
    {
        var now = session.Time.GetUtcNow();
        var identity = session.Identities.Directory;
        if (OwnCertificate.Read(identity) is not { } own || !authority.HasIssued(own.Certificate)) return null;
        if (!always && !FleetCertificates.IsDue(own.Certificate.NotBefore, own.Certificate.NotAfter, now)) return null;
        return OwnCertificate.Renew(authority, identity, own, now);
    }

    /// <summary>Sees to the agents of a manifest.</summary>
    public Task SeeToAsync(DeploymentManifest manifest, CancellationToken cancellation)
        => new FleetCertificates(authority, session.Channels, session.Time).DoInPassingAsync(NamedAgent.Of(manifest), session.Terminal.Note, cancellation);

    /// <inheritdoc/>
    public void Dispose() => authority.Dispose();
}
