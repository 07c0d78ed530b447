using System.Globalization;
using System.Net.WebSockets;
using System.Text;

namespace Decant.Load;

/// <summary>
/// One client that wants to have a websocket all the time, as a browser with LiveView does: it says something, waits for the echo, and
/// connects again at once when the connection ends. A connection that ends is no failure, for it never ends by itself; one that cannot be
/// made again, or an echo that does not come, is.
/// </summary>
internal sealed class WebsocketClient(Uri url, Func<TimeSpan> now, Action<Sample> account, Action<WebsocketEnd> ended)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(100);

    /// <summary>Until it is told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            using var socket = new ClientWebSocket();
            socket.Options.Proxy = null;
            var at = now();
            if (await WhyNotConnectedAsync(socket) is { } refusal)
            {
                account(new Sample(Traffic.Websocket, at, now() - at, "", refusal));
                await PauseAsync(stop);
                continue;
            }

            await TalkAsync(socket, stop);
        }
    }

    private async Task<string?> WhyNotConnectedAsync(ClientWebSocket socket)
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await socket.ConnectAsync(new UriBuilder(url) { Scheme = "ws", Path = "/socket" }.Uri, patience.Token);
            return null;
        }
        catch (WebSocketException exception)
        {
            return $"no websocket: {exception.GetBaseException().Message}";
        }
        catch (OperationCanceledException)
        {
            return "no websocket: timeout";
        }
    }

    private async Task TalkAsync(ClientWebSocket socket, CancellationToken stop)
    {
        for (var n = 0; ; n++)
        {
            if (stop.IsCancellationRequested)
            {
                await CloseAsync(socket);
                return;
            }

            var at = now();
            var text = n.ToString(CultureInfo.InvariantCulture);
            var (answer, end) = await EchoAsync(socket, text);
            if (end is { } how)
            {
                ended(new WebsocketEnd(now(), how));
                return;
            }

            var parts = answer!.Split(' ');
            account(new Sample(Traffic.Websocket, at, now() - at, parts[0], parts is [_, var echo] && echo == text ? null : $"another echo: {answer}"));
            await PauseAsync(stop);
        }
    }

    /// <summary>The answer, or how the connection ended.</summary>
    private static async Task<(string? Answer, WebsocketEndKind? End)> EchoAsync(ClientWebSocket socket, string text)
    {
        using var patience = new CancellationTokenSource(Patience);
        var buffer = new byte[256];
        try
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, patience.Token);
            var received = await socket.ReceiveAsync(buffer, patience.Token);
            if (received.MessageType != WebSocketMessageType.Close) return (Encoding.UTF8.GetString(buffer, 0, received.Count), null);
            await CloseAsync(socket);
            return (null, WebsocketEndKind.Closed);
        }
        catch (WebSocketException)
        {
            return (null, WebsocketEndKind.Cut);
        }
        catch (OperationCanceledException)
        {
            return ("no echo", null);
        }
    }

    private static async Task CloseAsync(ClientWebSocket socket)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        try
        {
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, patience.Token);
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException)
        {
            // The other side was quicker.
        }
    }

    private static async Task PauseAsync(CancellationToken stop)
    {
        try
        {
            await Task.Delay(Pace, stop);
        }
        catch (OperationCanceledException)
        {
            // It is looked at by whoever waited.
        }
    }
}

/// <summary>A websocket that its client did not end.</summary>
/// <param name="At">When, since the start of the run.</param>
/// <param name="Kind">How.</param>
public readonly record struct WebsocketEnd(TimeSpan At, WebsocketEndKind Kind);

/// <summary>How a websocket ended.</summary>
public enum WebsocketEndKind
{
    /// <summary>With a close frame (RFC 6455, 5.5.1).</summary>
    Closed,

    /// <summary>Without one.</summary>
    Cut,
}
