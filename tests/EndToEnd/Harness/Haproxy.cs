using System.Net.Sockets;
using System.Text;

namespace Decant.EndToEnd.Harness;

/// <summary>Debian's HAProxy in front of a test fleet.</summary>
internal sealed class Haproxy : Front
{
    private readonly RunningProgram program;

    private Haproxy(RunningProgram program, int port, string socket)
    {
        this.program = program;
        Port = port;
        Socket = socket;
    }

    public int Port { get; }

    public string Socket { get; }

    public override Uri Url => new($"http://127.0.0.1:{Port}");

    /// <summary>Starts it with one backend, <c>demo</c>, and its members.</summary>
    public static async Task<Haproxy> StartAsync(string directory, int port, IEnumerable<(string Name, int Port)> members, CancellationToken cancellation)
    {
        var socket = SocketIn(directory);
        var configuration = Path.Combine(directory, "haproxy.cfg");
        await File.WriteAllTextAsync(configuration, $"""
            global
              stats socket {socket} mode 600 level admin
              maxconn 4000
            defaults
              mode http
              timeout connect 2s
              timeout client 60s
              timeout server 60s
              timeout queue 5s
              timeout check 5s
            frontend web
              bind 127.0.0.1:{port}
              default_backend demo
            backend demo
              balance roundrobin
              option httpchk GET /health
              default-server check inter 200ms rise 1 fall 2 weight 100
            {string.Join('\n', members.Select(m => $"  server {m.Name} 127.0.0.1:{m.Port}"))}

            """, cancellation);
        var program = RunningProgram.Start("/usr/sbin/haproxy", ["-W", "-db", "-f", configuration]);
        var haproxy = new Haproxy(program, port, socket);
        await Eventually.TrueAsync(() => Task.FromResult(File.Exists(socket)), "HAProxy's stats socket", cancellation);
        return haproxy;
    }

    /// <summary>Where its stats socket will be.</summary>
    public static string SocketIn(string directory) => Path.Combine(directory, "haproxy.sock");

    /// <summary>Asks the runtime API.</summary>
    public async Task<string> AskAsync(string command, CancellationToken cancellation)
    {
        using var socket = new System.Net.Sockets.Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Socket), cancellation);
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(command + "\n"), cancellation);
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(cancellation);
    }

    public override ValueTask DisposeAsync() => program.DisposeAsync();
}
