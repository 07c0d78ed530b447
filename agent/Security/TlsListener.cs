using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Decant.Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Decant.Agent.Security;

/// <summary>Where callers of other machines come in: TLS 1.3, with a certificate on both sides, before a byte of theirs is read as anything else.</summary>
internal static class TlsListener
{
    /// <summary>For a handshake.</summary>
    public static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Makes it one.</summary>
    public static void Secure(ListenOptions listen, HostTls tls, Enrolment enrolment, Callers callers)
        => listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = HandshakeTimeout,
            OnConnection = context => ValueTask.FromResult(
                context.ClientHelloInfo.ServerName == EnrolmentProof.ServerName && enrolment.Server is { } server
                    ? ForEnrolment(context.Connection, server)
                    : Options(context.Connection, tls, callers)),
        });

    /// <summary>A controller that enrols this host: neither side has a certificate that the other could know, and both show that they know the token.</summary>
    private static SslServerAuthenticationOptions ForEnrolment(ConnectionContext connection, SslStreamCertificateContext server)
    {
        connection.Features.Set(new Caller("a controller that enrols this host", connection.RemoteEndPoint?.ToString() ?? "", Rights.None) { IsForEnrolment = true });
        return new SslServerAuthenticationOptions
        {
            ServerCertificateContext = server,
            EnabledSslProtocols = SslProtocols.Tls13,
            AllowTlsResume = false,
            AllowRenegotiation = false,
        };
    }

    private static SslServerAuthenticationOptions Options(ConnectionContext connection, HostTls tls, Callers callers) => new()
    {
        ServerCertificateContext = tls.Identity?.Server ?? throw new AuthenticationException("this host has no certificate yet"),
        EnabledSslProtocols = SslProtocols.Tls13,
        ClientCertificateRequired = true,
        // A resumed session would bring no certificate along.
        AllowTlsResume = false,
        AllowRenegotiation = false,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        RemoteCertificateValidationCallback = (_, certificate, chain, _) =>
        {
            // SslStream owns what it gives here; the connection lasts longer.
            var own = certificate is null ? null : X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
            X509Certificate2Collection others = [];
            foreach (var other in chain?.ChainPolicy.ExtraStore ?? []) others.Add(X509CertificateLoader.LoadCertificate(other.RawData));
            if (callers.Of(own, others, connection.RemoteEndPoint) is not { } caller) return false;
            connection.Features.Set(caller);
            return true;
        },
    };
}
