using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Decant.Agent.Configuration;

namespace Decant.Agent.Hosting;

/// <summary>
/// Calls this agent as its callers do: <c>grpc.health.v1.Health/Check</c> over its own listener. An answer shows that it accepts connections,
/// that its threads run, and (see <see cref="JournalHealth"/>) that neither the runner nor the journal hangs.
/// </summary>
internal sealed class SelfProbe(AgentConfiguration configuration) : IDisposable
{
    // An empty HealthCheckRequest: not compressed, no bytes (gRPC over HTTP2, Length-Prefixed-Message).
    private static readonly byte[] EmptyMessage = new byte[5];

    private readonly HttpClient http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        // A connection for each call: an agent that no longer accepts is found.
        PooledConnectionLifetime = TimeSpan.Zero,
        ConnectCallback = (_, cancellation) =>
        {
            var listen = configuration.Listen;
            return SocketStream.OpenAsync(listen.Unix is { } path ? new UnixDomainSocketEndPoint(path) : listen.Tcp!, cancellation);
        },
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>Returns when the agent has answered, whatever it says of its health; throws when it cannot be reached.</summary>
    public async Task CallAsync(CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "http://agent/grpc.health.v1.Health/Check")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(EmptyMessage) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } },
        };
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        using var response = await http.SendAsync(request, cancellation);
        response.EnsureSuccessStatusCode();
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();
}
