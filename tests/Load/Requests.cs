using System.Net.Sockets;
using System.Security.Cryptography;

namespace Decant.Load;

/// <summary>
/// Sends requests and says what went wrong. A small GET or PUT on a kept connection that turns out to be closed is sent again, once, as RFC
/// 9112, 9.3.1 and RFC 9110, 9.2.2 have it for idempotent methods and every browser does: a server that reloads closes idle connections, and may
/// do so just when a request is on its way. SocketsHttpHandler does that silently where it reads the end of the connection; where it is told of a
/// reset, or finds the connection closed while it sends, it is done, and told, here. Nothing else is sent twice.
/// </summary>
internal sealed class Requests : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly HttpClient kept;
    private readonly HttpClient fresh;
    private readonly byte[] upload = new byte[256 * 1024];
    private readonly string uploadDigest;
    private readonly int slowMs;

    public Requests(LoadOptions options)
    {
        kept = Client(options.Url, TimeSpan.FromMinutes(5));
        fresh = Client(options.Url, TimeSpan.Zero);
        fresh.DefaultRequestHeaders.ConnectionClose = true;
        RandomNumberGenerator.Fill(upload);
        uploadDigest = Convert.ToHexStringLower(SHA256.HashData(upload));
        slowMs = options.SlowTime == default ? 3000 : (int)options.SlowTime.TotalMilliseconds;
    }

    public void Dispose()
    {
        kept.Dispose();
        fresh.Dispose();
    }

    /// <summary>Sends one request; the version that answered, what went wrong or null, and whether it was sent twice.</summary>
    public async Task<(string Version, string? Failure, bool Repeated)> SendAsync(Traffic traffic)
    {
        var (version, failure) = await SendOnceAsync(traffic);
        var closed = failure is nameof(SocketError.ConnectionReset) or nameof(SocketError.Shutdown);
        if (!closed || traffic is not (Traffic.Fast or Traffic.Upload)) return (version, failure, false);
        (version, failure) = await SendOnceAsync(traffic);
        return (version, failure, true);
    }

    private async Task<(string Version, string? Failure)> SendOnceAsync(Traffic traffic)
    {
        try
        {
            using var request = traffic switch
            {
                Traffic.Slow => new HttpRequestMessage(HttpMethod.Get, $"/slow?ms={slowMs}"),
                Traffic.Stream => new HttpRequestMessage(HttpMethod.Get, "/stream?chunks=10&interval_ms=100"),
                Traffic.Upload => new HttpRequestMessage(HttpMethod.Put, "/upload") { Content = new ByteArrayContent(upload) },
                _ => new HttpRequestMessage(HttpMethod.Get, "/fast"),
            };
            using var response = await (traffic == Traffic.NewConnection ? fresh : kept).SendAsync(request);
            var body = await response.Content.ReadAsStringAsync();
            var version = response.Headers.TryGetValues("x-demo-version", out var values) ? values.First() : "";
            return (version, response.IsSuccessStatusCode ? WhyWrong(traffic, body) : $"status {(int)response.StatusCode}");
        }
        catch (TaskCanceledException)
        {
            return ("", "timeout");
        }
        catch (HttpRequestException exception)
        {
            return ("", Name(exception));
        }
    }

    private string? WhyWrong(Traffic traffic, string body) => traffic switch
    {
        Traffic.Stream when !body.EndsWith("chunk 10\n", StringComparison.Ordinal) => "truncated body",
        Traffic.Upload when !body.Contains(uploadDigest, StringComparison.Ordinal) => "upload damaged",
        _ => null,
    };

    private static string Name(HttpRequestException exception)
    {
        for (Exception? cause = exception; cause is not null; cause = cause.InnerException)
        {
            if (cause is SocketException { SocketErrorCode: var code }) return code.ToString();
        }

        return exception.HttpRequestError == HttpRequestError.Unknown ? exception.Message : exception.HttpRequestError.ToString();
    }

    private static HttpClient Client(Uri url, TimeSpan lifetime) => new(new SocketsHttpHandler
    {
        PooledConnectionLifetime = lifetime,
        MaxConnectionsPerServer = 1000,
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
    })
    {
        BaseAddress = url,
        Timeout = Timeout,
    };
}
