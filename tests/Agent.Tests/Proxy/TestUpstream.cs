using System.Net;
using System.Net.WebSockets;
using Decant.Names;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Decant.Agent.Tests.Proxy;

/// <summary>
/// An app behind the proxy, on Kestrel: answers with its name; <c>/slow</c> when the test lets it, <c>/stream</c> in two parts with the test in
/// between, <c>/upload</c> with the size of the body, <c>/echo</c> with the request's head, <c>/status/N</c>, and <c>/ws</c> as a websocket that echoes.
/// </summary>
internal sealed class TestUpstream : IAsyncDisposable
{
    private readonly TaskCompletionSource go = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<WebSocketCloseStatus?> closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WebApplication? app;
    private int requests;

    public required string Name { get; init; }

    public int Port { get; private set; }

    public MemberAddress Address => MemberAddress.Parse($"127.0.0.1:{Port}");

    public int Requests => Volatile.Read(ref requests);

    /// <summary>How the latest websocket ended.</summary>
    public Task<WebSocketCloseStatus?> Closed => closed.Task;

    /// <summary>Completes when the caller of <c>/slow</c> has gone.</summary>
    public Task Aborted => aborted.Task;

    public static async Task<TestUpstream> StartAsync(string name, int port = 0)
    {
        var upstream = new TestUpstream { Name = name, Port = port };
        await upstream.RunAsync();
        return upstream;
    }

    /// <summary>Lets <c>/slow</c> and <c>/stream</c> go on.</summary>
    public void Go() => go.TrySetResult();

    /// <summary>Ends at once: connections are reset.</summary>
    public async Task KillAsync()
    {
        if (app is null) return;
        await app.StopAsync(new CancellationToken(canceled: true));
        await app.DisposeAsync();
        app = null;
    }

    /// <summary>Starts (again) on its port.</summary>
    public async Task RunAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, Port);
            kestrel.Limits.MaxRequestBodySize = null;
        });
        app = builder.Build();
        app.UseWebSockets();
        app.Run(AnswerAsync);
        await app.StartAsync();
        Port = new Uri(app.Urls.Single()).Port;
    }

    public async ValueTask DisposeAsync()
    {
        Go();
        await KillAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        Interlocked.Increment(ref requests);
        switch (context.Request.Path.Value!.Split('/')[1])
        {
            case "slow":
                try
                {
                    await go.Task.WaitAsync(context.RequestAborted);
                }
                catch (OperationCanceledException)
                {
                    aborted.TrySetResult();
                    return;
                }

                await context.Response.WriteAsync(Name);
                break;
            case "stream":
                await context.Response.WriteAsync("first");
                await context.Response.Body.FlushAsync();
                await go.Task;
                await context.Response.WriteAsync("second");
                break;
            case "upload":
                var size = 0L;
                var buffer = new byte[64 * 1024];
                while (await context.Request.Body.ReadAsync(buffer) is > 0 and var read) size += read;
                await context.Response.WriteAsync($"{size}");
                break;
            case "echo":
                var target = context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget;
                await context.Response.WriteAsync($"{target}\n{string.Join('\n', context.Request.Headers.Select(h => $"{h.Key}: {h.Value}"))}");
                break;
            case "status":
                context.Response.StatusCode = int.Parse(context.Request.Path.Value.Split('/')[2], System.Globalization.CultureInfo.InvariantCulture);
                break;
            case "reset":
                context.Abort();
                break;
            case "ws":
                await EchoAsync(await context.WebSockets.AcceptWebSocketAsync());
                break;
            default:
                await context.Response.WriteAsync(Name);
                break;
        }
    }

    private async Task EchoAsync(WebSocket socket)
    {
        var buffer = new byte[4096];
        try
        {
            while (true)
            {
                var received = await socket.ReceiveAsync(buffer, CancellationToken.None);
                if (received.MessageType == WebSocketMessageType.Close) break;
                await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, CancellationToken.None);
            }

            await socket.CloseOutputAsync(socket.CloseStatus ?? WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);
            closed.TrySetResult(socket.CloseStatus);
        }
        catch (WebSocketException)
        {
            closed.TrySetResult(null);
        }
    }
}
