using System.Net;
using System.Net.Sockets;
using System.Text;
using Decant.Agent.Configuration;

namespace Decant.Agent.Balancers;

/// <summary>Answers HAProxies that ask by its agent-check protocol. Nothing can be changed through it.</summary>
internal sealed partial class AgentCheckListener(AgentCheckSettings settings, AgentCheckDesk desk, ILogger<AgentCheckListener> logger) : IHostedService, IDisposable
{
    private const int MaxConnections = 256;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource stop = new();
    private readonly SemaphoreSlim free = new(MaxConnections, MaxConnections);
    private TcpListener? listener;
    private Task serving = Task.CompletedTask;

    /// <summary>Where it listens, when it does.</summary>
    public IPEndPoint? Endpoint => listener?.LocalEndpoint as IPEndPoint;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            listener = new TcpListener(settings.Listen);
            listener.Start();
        }
        catch (SocketException exception)
        {
            throw new IOException($"agent_check.listen {settings.Listen}: {exception.Message}", exception);
        }

        serving = Task.Run(ServeAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await stop.CancelAsync();
        listener?.Stop();
        await serving;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        listener?.Dispose();
        stop.Dispose();
        free.Dispose();
    }

    private async Task ServeAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await free.WaitAsync(stop.Token);
                var client = await listener!.AcceptTcpClientAsync(stop.Token);
                _ = Task.Run(() => AnswerAsync(client), CancellationToken.None);
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException or InvalidOperationException)
            {
                if (stop.IsCancellationRequested) return;
                // Out of files, for example: there may be some again.
                free.Release();
                await Task.Delay(100);
            }
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        try
        {
            using var connection = client;
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(stop.Token);
            deadline.CancelAfter(Patience);
            if (client.Client.RemoteEndPoint is not IPEndPoint remote) return;
            var address = remote.Address.IsIPv4MappedToIPv6 ? remote.Address.MapToIPv4() : remote.Address;
            if (settings.From.Count > 0 && !settings.From.Contains(address)) return;
            var stream = client.GetStream();
            // No answer leaves the server as it is (configuration manual, 5.2, agent-check).
            if (AgentCheckRequest.Read(await ReadLineAsync(stream, deadline.Token)) is not { } request) return;

            var asker = request.Name.Length == 0 ? address.ToString() : $"{address} {request.Name}";
            if (desk.Ask(request.Key, asker) is not var (words, arrived)) return;
            await stream.WriteAsync(Encoding.ASCII.GetBytes(words + "\n"), deadline.Token);
            client.Client.Shutdown(SocketShutdown.Send);
            // HAProxy closes when it has read the answer.
            if (await stream.ReadAsync(new byte[1], deadline.Token) == 0 && arrived()) LogNewAsker(asker, request.Key.ToString());
        }
        catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // It hung up, or said nothing: it asks again.
        }
        finally
        {
            Release();
        }
    }

    private void Release()
    {
        if (!stop.IsCancellationRequested) free.Release();
    }

    private static async Task<string> ReadLineAsync(NetworkStream stream, CancellationToken cancellation)
    {
        var buffer = new byte[AgentCheckRequest.MaxLength];
        for (var length = 0; length < buffer.Length;)
        {
            var read = await stream.ReadAsync(buffer.AsMemory(length), cancellation);
            length += read;
            var end = Array.IndexOf(buffer, (byte)'\n', 0, length);
            if (end >= 0 || read == 0) return Encoding.ASCII.GetString(buffer, 0, end < 0 ? length : end);
        }

        return "";
    }

    [LoggerMessage(1, LogLevel.Information, "HAProxy at {Asker} asks for {Slot}")]
    private partial void LogNewAsker(string asker, string slot);
}
