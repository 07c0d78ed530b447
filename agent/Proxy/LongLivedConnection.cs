using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace Decant.Agent.Proxy;

/// <summary>
/// A connection that a client asks to use for another protocol than HTTP, a websocket mostly. Once the member has agreed it counts as
/// long-lived, and can be closed so that both sides see a clean end.
/// </summary>
internal sealed class LongLivedConnection : IHttpUpgradeFeature, IHttpExtendedConnectFeature, IDisposable
{
    /// <summary>From the close frame until the client has answered it, and the member the client.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(3);

    private readonly ProxyMember member;
    private readonly IHttpUpgradeFeature? upgrade;
    private readonly IHttpExtendedConnectFeature? connect;
    private readonly bool isWebSocket;
    private readonly CancellationTokenSource cut = new();
    private Tunnel? tunnel;

    public LongLivedConnection(HttpContext context, ProxyMember member)
    {
        this.member = member;
        upgrade = context.Features.Get<IHttpUpgradeFeature>();
        connect = context.Features.Get<IHttpExtendedConnectFeature>();
        isWebSocket = Protocol is "websocket" || string.Equals(context.Request.Headers.Upgrade, "websocket", StringComparison.OrdinalIgnoreCase);
        if (upgrade is not null) context.Features.Set<IHttpUpgradeFeature>(this);
        if (connect is not null) context.Features.Set<IHttpExtendedConnectFeature>(this);
    }

    /// <summary>Cancelled when it does not end by itself after <see cref="CloseAsync"/>.</summary>
    public CancellationToken Cut => cut.Token;

    /// <inheritdoc/>
    public bool IsUpgradableRequest => upgrade is { IsUpgradableRequest: true };

    /// <inheritdoc/>
    public bool IsExtendedConnect => connect is { IsExtendedConnect: true };

    /// <inheritdoc/>
    public string? Protocol => connect?.Protocol;

    /// <summary>Whether a request asks for it.</summary>
    public static bool IsAskedFor(HttpRequest request)
        => request.Headers.ContainsKey(HeaderNames.Upgrade) || HttpMethods.IsConnect(request.Method);

    /// <inheritdoc/>
    public async Task<Stream> UpgradeAsync() => Begin(await upgrade!.UpgradeAsync());

    /// <inheritdoc/>
    public async ValueTask<Stream> AcceptAsync() => Begin(await connect!.AcceptAsync());

    /// <summary>
    /// Closes it. A websocket gets a close frame with status 1001, "going away" (RFC 6455, 7.4.1); its client answers that to the member, which
    /// then ends the connection. Whatever has not ended after a few seconds is cut.
    /// </summary>
    public async Task CloseAsync()
    {
        if (tunnel is null) return;
        try
        {
            if (isWebSocket)
            {
                await tunnel.CloseAsync();
                cut.CancelAfter(Grace);
            }
            else
            {
                await cut.CancelAsync();
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // It has just ended by itself.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        member.Remove(this);
        cut.Dispose();
        tunnel?.Dispose();
    }

    private Tunnel Begin(Stream stream)
    {
        tunnel = new Tunnel(stream);
        member.Add(this);
        return tunnel;
    }
}
