using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Decant.Certificates;
using Google.Protobuf;

namespace Decant.Agent.Security;

/// <summary>An enrolment that waits for its controller: a new key, and a certificate that is shown for this once.</summary>
internal sealed class OpenEnrolment : IDisposable
{
    private readonly Lock gate = new();
    private readonly X509Certificate2 shown;
    private readonly byte[] request;
    private (byte[] Controller, byte[] Agent)? nonces;

    public OpenEnrolment(JoinToken token, DateTimeOffset now)
    {
        Token = token;
        Key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var made = new CertificateRequest("CN=decantd before enrolment", Key, HashAlgorithmName.SHA256);
        shown = made.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        request = made.CreateSigningRequest();
        Server = SslStreamCertificateContext.Create(shown, null, offline: true);
    }

    public JoinToken Token { get; }

    /// <summary>Of the certificate to come.</summary>
    public ECDsa Key { get; }

    /// <summary>What is shown to the controller.</summary>
    public SslStreamCertificateContext Server { get; }

    /// <summary>What happens, for whoever waits; ends when the host is enrolled.</summary>
    public Channel<string> Messages { get; } = Channel.CreateBounded<string>(new BoundedChannelOptions(100) { FullMode = BoundedChannelFullMode.DropNewest });

    /// <summary>The answer to a controller; the last one that asked may go on.</summary>
    public V1.BeginEnrolmentResponse Answer(byte[] controllerNonce)
    {
        var own = RandomNumberGenerator.GetBytes(EnrolmentProof.NonceBytes);
        lock (gate) nonces = (controllerNonce, own);
        return new V1.BeginEnrolmentResponse
        {
            Request = ByteString.CopyFrom(request),
            AgentNonce = ByteString.CopyFrom(own),
            Proof = ByteString.CopyFrom(EnrolmentProof.OfAgent(Token, See(controllerNonce, own))),
        };
    }

    /// <summary>What this side sees; null: these are not the nonces of its last answer.</summary>
    public EnrolmentView? View(byte[] controllerNonce, byte[] agentNonce)
    {
        lock (gate)
        {
            return nonces is var (controller, own) && controller.AsSpan().SequenceEqual(controllerNonce) && own.AsSpan().SequenceEqual(agentNonce)
                ? See(controllerNonce, agentNonce)
                : null;
        }
    }

    public void Dispose()
    {
        Key.Dispose();
        shown.Dispose();
    }

    private EnrolmentView See(byte[] controllerNonce, byte[] agentNonce) => new(SHA256.HashData(shown.RawData), controllerNonce, agentNonce, request);
}
