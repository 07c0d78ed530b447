using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Decant.Agent.Tests.Balancers;

/// <summary>A small HTTP server: answers with its name; <c>/health</c> with its health, <c>/slow</c> when the test lets it.</summary>
internal sealed class TestMember : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly TaskCompletionSource slow = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource slowArrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task serving;

    public TestMember(string name)
    {
        Name = name;
        listener.Start();
        serving = Task.Run(ServeAsync);
    }

    public string Name { get; }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public bool Healthy { get; set; } = true;

    /// <summary>Completes with the first request for <c>/slow</c>.</summary>
    public Task SlowArrived => slowArrived.Task;

    /// <summary>Answers the requests for <c>/slow</c>.</summary>
    public void FinishSlow() => slow.TrySetResult();

    public async ValueTask DisposeAsync()
    {
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
                while (await reader.ReadLineAsync(stop.Token) is { Length: > 0 })
                {
                    // Headers do not matter.
                }

                if (request.StartsWith("GET /slow", StringComparison.Ordinal))
                {
                    slowArrived.TrySetResult();
                    await slow.Task.WaitAsync(stop.Token);
                }

                var status = request.StartsWith("GET /health", StringComparison.Ordinal) && !Healthy ? "503 Service Unavailable" : "200 OK";
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: {Name.Length}\r\n\r\n{Name}"), stop.Token);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The caller hung up, or the test is over.
        }
    }
}
