using System.Net.Sockets;
using System.Text;

namespace Decant.EndToEnd.Harness;

/// <summary>What somebody does who listens where HAProxy should.</summary>
internal enum FalseAnswer
{
    /// <summary>Takes the connection and says nothing, ever.</summary>
    Silence,

    /// <summary>Closes the connection at once.</summary>
    HangsUp,

    /// <summary>Answers every line as another program would.</summary>
    Garbage,
}

/// <summary>A listener of the test's in the place of a stats socket, until it is disposed. HAProxy itself serves on.</summary>
internal sealed class FalseStatsSocket : IAsyncDisposable
{
    private readonly string path;
    private readonly FalseAnswer answer;
    private readonly Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly List<Socket> connections = [];
    private readonly Task accepting;

    private FalseStatsSocket(string path, FalseAnswer answer)
    {
        (this.path, this.answer) = (path, answer);
        File.Move(path, Real);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        accepting = AcceptAsync();
    }

    private string Real => $"{path}.real";

    /// <summary>Takes the place of the socket.</summary>
    public static FalseStatsSocket InsteadOf(string path, FalseAnswer answer) => new(path, answer);

    /// <summary>The real one is back when this returns.</summary>
    public async ValueTask DisposeAsync()
    {
        listener.Dispose();
        await accepting;
        connections.ForEach(c => c.Dispose());
        File.Move(Real, path, overwrite: true);
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var connection = await listener.AcceptAsync();
                if (answer == FalseAnswer.HangsUp) connection.Dispose();
                else connections.Add(connection);
                if (answer == FalseAnswer.Garbage) _ = ServeGarbageAsync(connection);
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The test has seen enough.
        }
    }

    private static async Task ServeGarbageAsync(Socket connection)
    {
        try
        {
            var buffer = new byte[4096];
            while (await connection.ReceiveAsync(buffer) > 0) await connection.SendAsync(Encoding.ASCII.GetBytes("220 mail.example ESMTP\n> "));
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It has hung up.
        }
    }
}
