using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Agent.Hosting;

namespace Decant.Agent.Security;

/// <summary>
/// A certificate that lives and dies with this process, by which an agent without a unix socket asks itself how it is. It may read, and nobody else has
/// it. Made when it is first used.
/// </summary>
internal sealed class OwnCertificate : IDisposable
{
    private readonly Lazy<X509Certificate2> certificate = new(Make);

    /// <summary>Whether a caller has it.</summary>
    public bool Is(X509Certificate2 other) => certificate.IsValueCreated && certificate.Value.RawDataMemory.Span.SequenceEqual(other.RawDataMemory.Span);

    /// <summary>Connects to the agent's own TLS port. Whoever answers there is only asked whether it lives.</summary>
    public async ValueTask<Stream> ConnectAsync(IPEndPoint address, CancellationToken cancellation)
    {
        var stream = new SslStream(await SocketStream.OpenAsync(Reachable(address), cancellation));
        try
        {
            await stream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    EnabledSslProtocols = SslProtocols.Tls13,
                    ApplicationProtocols = [SslApplicationProtocol.Http2],
                    ClientCertificateContext = SslStreamCertificateContext.Create(certificate.Value, null, offline: true),
#pragma warning disable CA5359 // Nothing is believed that is answered.
                    RemoteCertificateValidationCallback = (_, _, _, _) => true,
#pragma warning restore CA5359
                },
                cancellation);
            return stream;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (certificate.IsValueCreated) certificate.Value.Dispose();
    }

    private static IPEndPoint Reachable(IPEndPoint address)
        => address.Address.Equals(IPAddress.Any) ? new IPEndPoint(IPAddress.Loopback, address.Port)
            : address.Address.Equals(IPAddress.IPv6Any) ? new IPEndPoint(IPAddress.IPv6Loopback, address.Port)
            : address;

    private static X509Certificate2 Make()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=this agent", key, HashAlgorithmName.SHA256);
        return request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue.AddYears(-1));
    }
}
