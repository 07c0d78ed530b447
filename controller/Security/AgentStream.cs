using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Decant.Controller.Fleet;
using Decant.Errors;

namespace Decant.Controller.Security;

/// <summary>
/// A connection to an agent with mutual TLS 1.3. What goes wrong on the way is told by its name: in TLS 1.3 the agent looks at the operator's certificate
/// only after the handshake is over for this side, so that a refusal comes as an end of the connection before its first byte.
/// </summary>
internal sealed class AgentStream : SslStream
{
    private readonly AgentAddress agent;
    private bool heard;

    private AgentStream(Stream stream, AgentAddress agent)
        : base(stream, leaveInnerStreamOpen: false)
        => this.agent = agent;

    /// <summary>Shakes hands.</summary>
    /// <exception cref="OperatorException">The agent is not who it should be, or does not speak TLS.</exception>
    public static async ValueTask<Stream> OpenAsync(Stream stream, AgentAddress agent, OperatorIdentity identity, TimeProvider time, CancellationToken cancellation)
    {
        var secure = new AgentStream(stream, agent);
        OperatorError? refusal = null;
        try
        {
            await secure.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = agent.CertifiedName,
                    EnabledSslProtocols = SslProtocols.Tls13,
                    ApplicationProtocols = [SslApplicationProtocol.Http2],
                    ClientCertificateContext = identity.Client,
                    AllowTlsResume = false,
                    CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                    RemoteCertificateValidationCallback = (_, certificate, chain, _) =>
                        (refusal = AgentCertificate.WhyNot(certificate as X509Certificate2, chain?.ChainPolicy.ExtraStore ?? [], agent, identity, time.GetUtcNow())) is null,
                },
                cancellation);
            return secure;
        }
        catch (Exception exception) when (exception is AuthenticationException or IOException)
        {
            await secure.DisposeAsync();
            throw new OperatorException(
                refusal ?? (exception is AuthenticationException ? TlsErrors.NoTls(agent, exception) : TlsErrors.ClosedInHandshake(agent)), exception);
        }
        catch
        {
            await secure.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var count = await base.ReadAsync(buffer, cancellationToken);
            if (count == 0 && buffer.Length > 0 && !heard) throw new IOException("the agent hung up");
            heard |= count > 0;
            return count;
        }
        catch (IOException exception) when (!heard)
        {
            throw NotAccepted(exception);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            await base.WriteAsync(buffer, cancellationToken);
        }
        catch (Exception exception) when (!heard && exception is IOException or ObjectDisposedException)
        {
            // The end was read before the first bytes were written, or came while they were.
            throw NotAccepted(exception);
        }
    }

    private IOException NotAccepted(Exception exception) => new(exception.Message, new OperatorException(TlsErrors.NotAccepted(agent), exception));
}
