using System.Collections.Frozen;
using System.Net;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using Yarp.ReverseProxy.Forwarder;

namespace Decant.Agent.Proxy;

/// <summary>
/// One attempt to send a request to a member: how its head is passed on, and what its answer counts for. Path, query, host and headers go
/// through as the client wrote them, but for what belongs to one connection only (RFC 9110, 7.6.1).
/// </summary>
internal sealed class Attempt(ProxyMember member, Upstream upstream, bool trustForwarded, Func<bool> isStopping, TimeProvider time) : HttpTransformer
{
    private const string ForwardedFor = "X-Forwarded-For";
    private const string ForwardedProto = "X-Forwarded-Proto";
    private const string ForwardedHost = "X-Forwarded-Host";

    private static readonly FrozenSet<string> OfTheConnection = new[]
    {
        HeaderNames.Connection, HeaderNames.TransferEncoding, HeaderNames.KeepAlive, HeaderNames.Upgrade, HeaderNames.ProxyConnection,
        HeaderNames.ProxyAuthenticate, HeaderNames.ProxyAuthorization, HeaderNames.TE, "HTTP2-Settings",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenSet<string> OfWhoForwards = new[] { ForwardedFor, ForwardedProto, ForwardedHost, "X-Forwarded-Port", "Forwarded" }
        .ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private static readonly UriCreationOptions AsWritten = new() { DangerousDisablePathAndQueryCanonicalization = true };

    private readonly long begun = time.GetTimestamp();

    /// <summary>An answer has begun.</summary>
    public bool IsAnswered { get; private set; }

    /// <inheritdoc/>
    public override async ValueTask TransformRequestAsync(
        HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        if (!TryCopyHeaders(httpContext, proxyRequest))
        {
            // Headers of a body that is not there: the base class knows how to pass them on.
            proxyRequest.Headers.Clear();
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            if (!trustForwarded) foreach (var name in OfWhoForwards) proxyRequest.Headers.Remove(name);
        }

        AddForwarded(httpContext, proxyRequest);
        var target = httpContext.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        if (target is ['/', ..]) proxyRequest.RequestUri = new Uri(string.Concat(upstream.Prefix, target), AsWritten);
    }

    /// <inheritdoc/>
    public override ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (proxyResponse is not null)
        {
            IsAnswered = true;
            member.Counters.CountAnswer((int)proxyResponse.StatusCode, time.GetElapsedTime(begun));
            if (isStopping() && !HttpProtocol.IsHttp2(httpContext.Request.Protocol) && proxyResponse.StatusCode != HttpStatusCode.SwitchingProtocols)
                httpContext.Response.Headers.Connection = "close";
        }

        return base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
    }

    private bool TryCopyHeaders(HttpContext context, HttpRequestMessage message)
    {
        var headers = context.Request.Headers;
        var isChunked = headers.TransferEncoding.Count > 0;
        foreach (var (name, value) in headers)
        {
            if (OfTheConnection.Contains(name) || name is [':', ..]) continue;
            if (!trustForwarded && OfWhoForwards.Contains(name)) continue;
            if (isChunked && name.Equals(HeaderNames.ContentLength, StringComparison.OrdinalIgnoreCase)) continue;
            if (Add(message.Headers, name, value)) continue;
            if (message.Content is null || !Add(message.Content.Headers, name, value)) return false;
        }

        return true;
    }

    private static bool Add(System.Net.Http.Headers.HttpHeaders headers, string name, StringValues value) => value.Count == 1
        ? headers.TryAddWithoutValidation(name, (string?)value)
        : headers.TryAddWithoutValidation(name, (IEnumerable<string?>)value);

    private void AddForwarded(HttpContext context, HttpRequestMessage message)
    {
        var client = context.Connection.RemoteIpAddress;
        if (client is { IsIPv4MappedToIPv6: true }) client = client.MapToIPv4();
        var headers = message.Headers;
        if (trustForwarded && context.Request.Headers.TryGetValue(ForwardedFor, out var before))
        {
            headers.Remove(ForwardedFor);
            headers.TryAddWithoutValidation(ForwardedFor, $"{string.Join(", ", (IEnumerable<string?>)before)}, {client}");
        }
        else if (client is not null)
        {
            headers.TryAddWithoutValidation(ForwardedFor, client.ToString());
        }

        if (!trustForwarded || !headers.NonValidated.Contains(ForwardedProto)) headers.TryAddWithoutValidation(ForwardedProto, "http");
        if (!trustForwarded || !headers.NonValidated.Contains(ForwardedHost)) headers.TryAddWithoutValidation(ForwardedHost, context.Request.Headers.Host.ToString());
    }
}
