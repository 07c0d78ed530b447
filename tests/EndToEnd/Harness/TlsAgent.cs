using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Certificates;
using Grpc.Net.Client;

namespace Decant.EndToEnd.Harness;

/// <summary>An agent with a certificate of a test's CA, on loopback.</summary>
internal sealed class TlsAgent : IAsyncDisposable
{
    private readonly FreePorts ports = new();

    private TlsAgent(string access)
    {
        Directory = System.IO.Directory.CreateTempSubdirectory("decant-e2e-").FullName;
        Port = ports.Next();
        File.WriteAllText(ConfigurationFile, $$"""
            host: web1
            data_dir: {{Directory}}/data
            listen: { unix: {{Directory}}/decantd.sock, tcp: 127.0.0.1:{{Port}} }
            epmd_port: {{ports.Next()}}
            limits: { disk_floor: 16MiB }
            {{access}}
            """);
    }

    public string Directory { get; }

    public string ConfigurationFile => Path.Combine(Directory, "agent.yml");

    public int Port { get; }

    public string Socket => Path.Combine(Directory, "decantd.sock");

    /// <summary>Where its files are: beside agent.yml.</summary>
    public string TlsDirectory => Path.Combine(Directory, "tls");

    public TestCa Ca { get; } = new();

    public RunningProgram Agent { get; private set; } = null!;

    public static async Task<TlsAgent> StartAsync(CancellationToken cancellation, string access = "", bool enrolled = true)
    {
        var agent = new TlsAgent(access);
        if (enrolled)
        {
            System.IO.Directory.CreateDirectory(agent.TlsDirectory);
            File.WriteAllText(Path.Combine(agent.TlsDirectory, "ca.pem"), agent.Ca.Pem);
            agent.Show(agent.Ca.Host("web1"));
        }

        await agent.RunAsync(cancellation);
        return agent;
    }

    /// <summary>Ends it, and starts it again.</summary>
    public async Task RestartAsync(CancellationToken cancellation)
    {
        await Agent.DisposeAsync();
        await RunAsync(cancellation);
    }

    /// <summary>As a controller connects that enrols it.</summary>
    /// <param name="seen">SHA-256 of the certificate that it showed.</param>
    public GrpcChannel ConnectForEnrolment(out Func<byte[]> seen)
    {
        var shown = Array.Empty<byte>();
        seen = () => shown;
        return GrpcChannel.ForAddress($"https://{EnrolmentProof.ServerName}:{Port}", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                ConnectCallback = DialAsync,
                SslOptions = new SslClientAuthenticationOptions
                {
                    EnabledSslProtocols = SslProtocols.Tls13,
#pragma warning disable CA5359 // The proof says later whether it is the agent.
                    RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                    {
                        shown = SHA256.HashData(certificate!.GetRawCertData());
                        return true;
                    },
#pragma warning restore CA5359
                },
            },
            DisposeHttpClient = true,
        });
    }

    /// <summary>Gives it another certificate.</summary>
    public void Show(X509Certificate2 certificate) => TestCa.Write(certificate, Path.Combine(TlsDirectory, "host.pem"), Path.Combine(TlsDirectory, "host.key"));

    /// <summary>Gives it a revocation list, whole at once.</summary>
    public void Revoke(string list)
    {
        var temporary = Path.Combine(TlsDirectory, "new");
        File.WriteAllText(temporary, list);
        File.Move(temporary, Path.Combine(TlsDirectory, "revoked.pem"), overwrite: true);
    }

    /// <summary>As any tool connects, with the framework's own checks of the agent's certificate.</summary>
    /// <param name="certificate">What it shows; null: nothing.</param>
    /// <param name="host">Whom it means.</param>
    /// <param name="trusted">The CA that it believes; the test's own when missing.</param>
    public GrpcChannel Connect(X509Certificate2? certificate, string host = "web1", X509Certificate2? trusted = null) => GrpcChannel.ForAddress($"https://{host}:{Port}", new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            ConnectCallback = DialAsync,
            SslOptions = new SslClientAuthenticationOptions
            {
                EnabledSslProtocols = SslProtocols.Tls13,
                ClientCertificateContext = certificate is null ? null : SslStreamCertificateContext.Create(certificate, null, offline: true),
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    CustomTrustStore = { trusted ?? Ca.Certificate },
                    RevocationMode = X509RevocationMode.NoCheck,
                },
            },
        },
        DisposeHttpClient = true,
    });

    /// <summary>A directory for <c>decant --identity</c>.</summary>
    public string Identity(string name, X509Certificate2? certificate, TestCa? trusted = null)
    {
        var directory = System.IO.Directory.CreateDirectory(Path.Combine(Directory, name)).FullName;
        File.WriteAllText(Path.Combine(directory, "ca.pem"), (trusted ?? Ca).Pem);
        if (certificate is not null) TestCa.Write(certificate, Path.Combine(directory, "operator.pem"), Path.Combine(directory, "operator.key"));
        return directory;
    }

    /// <summary>Whatever the name: the agent is here.</summary>
    private async ValueTask<Stream> DialAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, Port, cancellation);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private async Task RunAsync(CancellationToken cancellation)
    {
        Agent = RunningProgram.Start(Programs.Decantd, ["--config", ConfigurationFile]);
        await Agent.WaitForLineAsync("agent is ready", cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        if (Agent is not null) await Agent.DisposeAsync();
        await LeftProcesses.KillAsync(Directory);
        ports.Dispose();
        Ca.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
