using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Decant.Agent.Tests.Balancers;

/// <summary>
/// A small HTTP server: answers with its name; <c>/health</c> with its health, <c>/slow</c> when the test lets it, <c>/error</c> with 500,
/// <c>/late</c> after <see cref="Lateness"/>, and a request for an upgrade with a websocket that says nothing and ends with its client.
/// </summary>
internal sealed class TestMember : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly TaskCompletionSource slow = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource slowArrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task serving;
    private int answered;
    private int disposed;

    public TestMember(string name)
    {
        Name = name;
        listener.Start();
        serving = Task.Run(ServeAsync);
    }

    public string Name { get; }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public bool Healthy { get; set; } = true;

    /// <summary>Requests that were answered, checks apart.</summary>
    public int Answered => answered;

    /// <summary>How long <c>/late</c> takes.</summary>
    public TimeSpan Lateness { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Completes with the first request for <c>/slow</c>.</summary>
    public Task SlowArrived => slowArrived.Task;

    /// <summary>Answers the requests for <c>/slow</c>.</summary>
    public void FinishSlow() => slow.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 1) return;
        await stop.CancelAsync();
        listener.Dispose();
        await serving;
        stop.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true) _ = AnswerAsync(await listener.AcceptTcpClientAsync(stop.Token));
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // The test is over; a listener that is stopped before it accepts says that it does not listen.
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        try
        {
            using var connection = client;
            await using var stream = client.GetStream();
            using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
            while (await reader.ReadLineAsync(stop.Token) is { } request)
            {
                var key = "";
                while (await reader.ReadLineAsync(stop.Token) is { Length: > 0 } header)
                {
                    if (header.StartsWith("sec-websocket-key: ", StringComparison.OrdinalIgnoreCase)) key = header[19..];
                }

                if (key.Length > 0)
                {
                    await ServeWebsocketAsync(stream, key);
                    return;
                }

                if (request.StartsWith("GET /slow", StringComparison.Ordinal))
                {
                    slowArrived.TrySetResult();
                    await slow.Task.WaitAsync(stop.Token);
                }

                if (request.StartsWith("GET /late", StringComparison.Ordinal)) await Task.Delay(Lateness, stop.Token);
                var isCheck = request.StartsWith("GET /health", StringComparison.Ordinal);
                var status = isCheck && !Healthy ? "503 Service Unavailable"
                    : request.StartsWith("GET /error", StringComparison.Ordinal) ? "500 Internal Server Error" : "200 OK";
                if (!isCheck) Interlocked.Increment(ref answered);
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: {Name.Length}\r\n\r\n{Name}"), stop.Token);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The caller hung up, or the test is over.
        }
    }

    [SuppressMessage("Security", "CA5350:Do Not Use Weak Cryptographic Algorithms", Justification = "RFC 6455 asks for SHA-1.")]
    private async Task ServeWebsocketAsync(NetworkStream stream, string key)
    {
        // RFC 6455, section 4.2.2.
        var accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"),
            stop.Token);
        var buffer = new byte[1024];
        while (await stream.ReadAsync(buffer, stop.Token) > 0)
        {
            // Nothing is said.
        }
    }
}
