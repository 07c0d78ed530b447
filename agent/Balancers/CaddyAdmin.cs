using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Decant.Agent.Configuration;
using Decant.Agent.Hosting;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>Caddy's admin API.</summary>
internal sealed class CaddyAdmin : IDisposable
{
    private const int MaxAnswer = 16 << 20;
    private const int LongestError = 1000;

    private readonly BalancerName balancer;
    private readonly string shown;
    private readonly HttpClient client;

    public CaddyAdmin(BalancerName balancer, BalancerSettings.Caddy settings, TableTimings timings)
    {
        this.balancer = balancer;
        shown = settings.Socket ?? settings.Admin.ToString();
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            // Caddy begins its admin server anew with each configuration: a connection that was kept could be cut in the middle of a question.
            PooledConnectionLifetime = TimeSpan.Zero,
        };
        if (settings.Socket is { } path)
            handler.ConnectCallback = (_, cancellation) => SocketStream.OpenAsync(new UnixDomainSocketEndPoint(path), cancellation);

        client = new HttpClient(handler) { BaseAddress = settings.Admin, Timeout = timings.Answer, MaxResponseContentBufferSize = MaxAnswer };
    }

    /// <summary>What is at a path, with its tag; nothing when it is not there.</summary>
    /// <exception cref="Errors.OperatorException">BALANCER_UNREACHABLE.</exception>
    public async Task<(JsonNode? Value, string Tag)> GetAsync(string path, CancellationToken cancellation)
    {
        var (status, text, tag) = await SendAsync(new HttpRequestMessage(HttpMethod.Get, path), cancellation);
        if (status == HttpStatusCode.NotFound) return (null, "");
        if (status != HttpStatusCode.OK) throw Unreachable($"GET {path} is answered with {(int)status}: {Words(text)}", Hint(status));
        try
        {
            return (Parse(text), tag);
        }
        catch (JsonException garbage)
        {
            throw Unreachable($"GET {path} is not answered with JSON", "see whether the address in agent.yml is Caddy's admin endpoint", garbage);
        }
    }

    /// <summary>Replaces what is at a path; Caddy has loaded the whole configuration when this returns.</summary>
    /// <returns>False when it is not any more what the tag says: somebody else was faster.</returns>
    /// <exception cref="Errors.OperatorException">BALANCER_UNREACHABLE. BALANCER_REFUSED: Caddy goes on as before.</exception>
    public async Task<bool> TryReplaceAsync(string path, JsonNode value, string tag, CancellationToken cancellation)
    {
        var request = new HttpRequestMessage(HttpMethod.Patch, path)
        {
            Content = new StringContent(value.ToJsonString(), Encoding.UTF8, new MediaTypeHeaderValue("application/json")),
        };
        // Caddy's tags have a space in them.
        request.Headers.TryAddWithoutValidation("If-Match", tag);
        var (status, text, _) = await SendAsync(request, cancellation);
        return status switch
        {
            HttpStatusCode.OK => true,
            HttpStatusCode.PreconditionFailed => false,
            _ => throw BalancerErrors.ConfigurationRefused(
                balancer, "Caddy refuses the new configuration", Words(text), "it serves as before", Hint(status)),
        };
    }

    /// <inheritdoc/>
    public void Dispose() => client.Dispose();

    private async Task<(HttpStatusCode Status, string Text, string Tag)> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        try
        {
            using (request)
            using (var response = await client.SendAsync(request, cancellation))
            {
                var text = await response.Content.ReadAsStringAsync(cancellation);
                // The tag of what was sent comes behind it, as a trailer.
                var headers = response.TrailingHeaders.TryGetValues("Etag", out var tags) || response.Headers.TryGetValues("Etag", out tags) ? tags : [];
                return (response.StatusCode, text, headers.FirstOrDefault() ?? "");
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException || (exception is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            throw Unreachable(
                $"its admin endpoint {shown} does not answer: {(exception as HttpRequestException)?.InnerException?.Message ?? exception.Message}",
                "see whether Caddy runs, and whether `admin` in agent.yml is the `admin.listen` of its configuration",
                exception);
        }
    }

    /// <summary>Reads what Caddy answers. A key that is there twice is no answer of Caddy's: JSON's document model would fail on it later.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    internal static JsonNode? Parse(string text) => JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false });

    private static string Words(string text)
    {
        try
        {
            return Printable.Line((Parse(text) as JsonObject)?["error"] is JsonValue error && error.TryGetValue<string>(out var said) ? said : text, LongestError);
        }
        catch (JsonException)
        {
            return Printable.Line(text);
        }
    }

    private static string Hint(HttpStatusCode status) => status == HttpStatusCode.Forbidden
        ? "on a unix socket Caddy 2.6 wants \"origins\": [\"\", \"127.0.0.1\"] in \"admin\" (later versions allow it by themselves)"
        : "look at the handler in Caddy's configuration and at the member's address";

    private Errors.OperatorException Unreachable(string why, string whatNext, Exception? cause = null)
        => BalancerErrors.Unreachable(balancer, why, whatNext, cause);
}
