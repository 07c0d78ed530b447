using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using Decant.Certificates;
using Decant.Controller.Fleet;
using Grpc.Core;
using Grpc.Net.Client;

namespace Decant.Controller.Security;

/// <summary>A connection to an agent that has no certificate yet: whatever it shows is remembered, and believed only after its proof.</summary>
internal sealed class EnrolmentConnection : IDisposable
{
    private readonly Lock gate = new();
    private readonly AgentAddress agent;
    private readonly GrpcChannel channel;
    private byte[]? seen;

    public EnrolmentConnection(AgentAddress agent, CallTimings timings)
    {
        this.agent = agent;
        channel = GrpcChannel.ForAddress($"https://{agent.Host}:{agent.Port}", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { ConnectTimeout = timings.Connect, UseProxy = false, ConnectCallback = (_, cancellation) => ConnectAsync(cancellation) },
            DisposeHttpClient = true,
        });
        Calls = channel.CreateCallInvoker();
    }

    public CallInvoker Calls { get; }

    /// <summary>Somebody accepts connections there.</summary>
    public bool IsConnected { get; private set; }

    /// <summary>Why nobody does.</summary>
    public string? Problem { get; private set; }

    /// <summary>SHA-256 of the certificate that was shown.</summary>
    public byte[] Seen()
    {
        lock (gate) return seen ?? throw new InvalidOperationException("nothing was shown yet");
    }

    public void Dispose() => channel.Dispose();

    private async ValueTask<Stream> ConnectAsync(CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(agent.Host.Trim('[', ']'), agent.Port, cancellation);
        }
        catch (SocketException exception)
        {
            socket.Dispose();
            Problem = exception.Message;
            throw;
        }

        IsConnected = true;
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
        try
        {
            await stream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = EnrolmentProof.ServerName,
                    EnabledSslProtocols = SslProtocols.Tls13,
                    ApplicationProtocols = [SslApplicationProtocol.Http2],
                    AllowTlsResume = false,
                    RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null && IsTheOne(SHA256.HashData(certificate.GetRawCertData())),
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

    /// <summary>Both calls must reach the same.</summary>
    private bool IsTheOne(byte[] fingerprint)
    {
        lock (gate)
        {
            seen ??= fingerprint;
            return seen.AsSpan().SequenceEqual(fingerprint);
        }
    }
}
