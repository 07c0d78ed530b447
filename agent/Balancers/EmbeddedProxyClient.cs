using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Decant.Agent.Hosting;
using Decant.Agent.Proxy;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>The embedded proxy's admin socket.</summary>
/// <param name="socket">Absolute path.</param>
internal sealed class EmbeddedProxyClient(string socket) : IDisposable
{
    private static readonly TimeSpan Connect = TimeSpan.FromSeconds(2);

    /// <summary>For an answer that does not wait for anything.</summary>
    private static readonly TimeSpan Answer = TimeSpan.FromSeconds(5);

    private readonly HttpMessageInvoker http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        ConnectTimeout = Connect,
        // The proxy may be another one by the next call.
        PooledConnectionLifetime = TimeSpan.Zero,
        ConnectCallback = (_, cancellation) => SocketStream.OpenAsync(new UnixDomainSocketEndPoint(socket), cancellation),
    });

    /// <summary>What the proxy says of itself.</summary>
    public Task<ProxyInfo> InfoAsync(CancellationToken cancellation) => GetAsync("/", ProxyJson.Default.ProxyInfo, cancellation);

    /// <summary>A backend.</summary>
    public Task<BackendView> BackendAsync(MemberName backend, CancellationToken cancellation)
        => GetAsync($"/backends/{backend}", ProxyJson.Default.BackendView, cancellation);

    /// <summary>Changes members; answers when it is done, at the latest at the change's deadline.</summary>
    public Task<ChangeReply> ChangeAsync(MemberName backend, ChangeRequest change, CancellationToken cancellation) => AskAsync(
        Request(HttpMethod.Post, $"/backends/{backend}/change", change, ProxyJson.Default.ChangeRequest),
        ProxyJson.Default.ChangeReply,
        TimeSpan.FromMilliseconds(change.DeadlineMs) + Answer,
        cancellation);

    /// <summary>Begins to close the long-lived connections of a member that is out.</summary>
    public Task<BackendView> CloseAsync(MemberKey member, TimeSpan spread, CancellationToken cancellation) => AskAsync(
        Request(
            HttpMethod.Post,
            $"/backends/{member.Backend}/members/{member.Member}/close",
            new CloseRequest((long)spread.TotalMilliseconds),
            ProxyJson.Default.CloseRequest),
        ProxyJson.Default.BackendView,
        Answer,
        cancellation);

    /// <summary>A member each time that something about it has changed; ends when the member or the proxy is gone.</summary>
    public async IAsyncEnumerable<MemberView> WatchAsync(MemberKey member, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var request = Request(HttpMethod.Get, $"/backends/{member.Backend}/members/{member.Member}/watch");
        using var response = await SendAsync(request, cancellation);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(cancellation));
        while (true)
        {
            MemberView? seen;
            try
            {
                if (await lines.ReadLineAsync(cancellation) is not { } line) yield break;
                seen = JsonSerializer.Deserialize(line, ProxyJson.Default.MemberView);
            }
            catch (Exception exception) when (exception is IOException or HttpRequestException)
            {
                yield break;
            }
            catch (JsonException exception)
            {
                throw Garbage(exception);
            }

            if (seen is not null) yield return seen;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    private Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellation)
        where T : class
        => AskAsync(Request(HttpMethod.Get, path), type, Answer, cancellation);

    private async Task<T> AskAsync<T>(HttpRequestMessage request, JsonTypeInfo<T> type, TimeSpan patience, CancellationToken cancellation)
        where T : class
    {
        using var sent = request;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(patience);
        try
        {
            using var response = await SendAsync(sent, limit.Token);
            await using var body = await response.Content.ReadAsStreamAsync(limit.Token);
            return await JsonSerializer.DeserializeAsync(body, type, limit.Token) ?? throw new JsonException("it is null");
        }
        catch (JsonException exception)
        {
            throw Garbage(exception);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw Gone(exception);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new EmbeddedProxyGoneException($"{socket} does not answer within {patience.TotalSeconds:0.#} s", "see what the proxy does: journalctl -u decant-proxy");
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        HttpResponseMessage response;
        try
        {
            response = await http.SendAsync(request, cancellation);
        }
        catch (HttpRequestException exception)
        {
            throw Gone(exception);
        }

        if (response.IsSuccessStatusCode) return response;
        using (response)
        {
            try
            {
                await using var body = await response.Content.ReadAsStreamAsync(cancellation);
                throw await JsonSerializer.DeserializeAsync(body, ProxyJson.Default.RefusalReply, cancellation) is { } refusal
                    ? new ProxyRefusalException(refusal.Reason, refusal.Message, refusal.WhatNext)
                    : new JsonException($"status {(int)response.StatusCode} without a reason");
            }
            catch (JsonException exception)
            {
                throw Garbage(exception);
            }
        }
    }

    private static HttpRequestMessage Request(HttpMethod method, string path) => new(method, $"http://proxy{path}");

    private static HttpRequestMessage Request<T>(HttpMethod method, string path, T body, JsonTypeInfo<T> type)
    {
        var request = Request(method, path);
        request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, type));
        return request;
    }

    private EmbeddedProxyGoneException Gone(Exception exception) => new(
        $"{socket}: {(exception.InnerException ?? exception).Message}",
        "see whether the proxy runs: systemctl status decant-proxy; it needs a section \"proxy\" in agent.yml",
        exception);

    private EmbeddedProxyGoneException Garbage(JsonException exception)
        => new($"{socket} answers what no embedded proxy answers: {exception.Message}", "see what listens on the socket that agent.yml names", exception);
}

/// <summary>The embedded proxy does not answer, or not as one.</summary>
internal sealed class EmbeddedProxyGoneException(string message, string whatNext, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>What to do.</summary>
    public string WhatNext => whatNext;
}
