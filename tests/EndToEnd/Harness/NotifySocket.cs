using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;

namespace Decant.EndToEnd.Harness;

/// <summary>What systemd listens on: a unix datagram socket that takes the messages of sd_notify(3).</summary>
internal sealed class NotifySocket : IDisposable
{
    private readonly Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly ConcurrentQueue<string> messages = new();

    public NotifySocket(string directory)
    {
        Path = System.IO.Path.Combine(directory, "notify.sock");
        socket.Bind(new UnixDomainSocketEndPoint(Path));
        _ = Task.Run(ReceiveAsync);
    }

    public string Path { get; }

    /// <summary>All that came so far, oldest first.</summary>
    public IReadOnlyList<string> Messages => [.. messages];

    public Task SeenAsync(string message, int times, CancellationToken cancellation)
        => Eventually.TrueAsync(() => Task.FromResult(Messages.Count(m => m == message) >= times), $"{message} for the {times}. time", cancellation);

    public void Dispose() => socket.Dispose();

    private async Task ReceiveAsync()
    {
        var buffer = new byte[4096];
        try
        {
            while (true)
            {
                var length = await socket.ReceiveAsync(buffer);
                foreach (var line in Encoding.UTF8.GetString(buffer, 0, length).Split('\n', StringSplitOptions.RemoveEmptyEntries)) messages.Enqueue(line);
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
