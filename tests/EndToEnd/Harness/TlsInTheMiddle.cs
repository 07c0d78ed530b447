using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Decant.EndToEnd.Harness;

/// <summary>Somebody between a controller and an agent: ends the TLS of both sides with a certificate of its own, and passes on what it reads.</summary>
internal sealed class TlsInTheMiddle : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentBag<Task> work = [];
    private readonly X509Certificate2 certificate;
    private int connections;

    public TlsInTheMiddle(int agentPort)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        certificate = new CertificateRequest("CN=decantd before enrolment", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        listener.Start();
        work.Add(ServeAsync(agentPort));
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public int Connections => connections;

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Dispose();
        foreach (var task in work) await task;
        certificate.Dispose();
        stop.Dispose();
    }

    private async Task ServeAsync(int agentPort)
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync(stop.Token);
                Interlocked.Increment(ref connections);
                work.Add(PassOnAsync(client, agentPort));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The end of the test.
        }
    }

    private async Task PassOnAsync(TcpClient client, int agentPort)
    {
        try
        {
            using (client)
            using (var agent = new TcpClient())
            {
                await agent.ConnectAsync(IPAddress.Loopback, agentPort, stop.Token);
                await using var near = new SslStream(client.GetStream());
                await using var far = new SslStream(agent.GetStream());
                var name = "";
                await near.AuthenticateAsServerAsync(
                    (_, hello, _, _) =>
                    {
                        name = hello.ServerName;
                        return ValueTask.FromResult(new SslServerAuthenticationOptions { ServerCertificate = certificate, ApplicationProtocols = [SslApplicationProtocol.Http2] });
                    },
                    null,
                    stop.Token);
                await far.AuthenticateAsClientAsync(
                    new SslClientAuthenticationOptions
                    {
                        TargetHost = name,
                        EnabledSslProtocols = SslProtocols.Tls13,
                        ApplicationProtocols = [SslApplicationProtocol.Http2],
#pragma warning disable CA5359 // It believes everybody.
                        RemoteCertificateValidationCallback = (_, _, _, _) => true,
#pragma warning restore CA5359
                    },
                    stop.Token);
                await Task.WhenAny(near.CopyToAsync(far, stop.Token), far.CopyToAsync(near, stop.Token));
            }
        }
        catch (Exception exception) when (exception is IOException or AuthenticationException or OperationCanceledException or SocketException)
        {
            // Either side hung up.
        }
    }
}
