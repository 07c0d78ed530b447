using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Decant.Agent.Configuration;
using Decant.Agent.Security;

namespace Decant.Agent.Hosting;

/// <summary>
/// Calls this agent as its callers do: <c>grpc.health.v1.Health/Check</c> over its own listener. An answer shows that it accepts connections,
/// that its threads run, and (see <see cref="JournalHealth"/>) that neither the runner nor the journal hangs.
/// </summary>
internal sealed class SelfProbe(AgentConfiguration configuration, OwnCertificate own) : IDisposable
{
    // An empty HealthCheckRequest: not compressed, no bytes (gRPC over HTTP2, Length-Prefixed-Message).
    private static readonly byte[] EmptyMessage = new byte[5];

    private readonly HttpClient http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        // A connection for each call: an agent that no longer accepts is found.
        PooledConnectionLifetime = TimeSpan.Zero,
        ConnectCallback = (_, cancellation) => configuration.Listen switch
        {
            { Unix: { } path } => SocketStream.OpenAsync(new UnixDomainSocketEndPoint(path), cancellation),
            { Tls: null, Tcp: { } address } => SocketStream.OpenAsync(address, cancellation),
            { Tcp: { } address } => own.ConnectAsync(address, cancellation),
            _ => throw new InvalidOperationException("the agent listens nowhere"),
        },
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>Returns when the agent has answered, whatever it says of its health; throws when it cannot be reached.</summary>
    public async Task CallAsync(CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{Scheme}://agent/grpc.health.v1.Health/Check")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(EmptyMessage) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } },
        };
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        using var response = await http.SendAsync(request, cancellation);
        response.EnsureSuccessStatusCode();
    }

    // HTTP/2 says it in each request (RFC 9113, 8.3.1), and Kestrel takes the right one only.
    private string Scheme => configuration.Listen is { Unix: null, Tls: not null } ? "https" : "http";

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();
}
