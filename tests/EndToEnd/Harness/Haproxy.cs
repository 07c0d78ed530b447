using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Decant.EndToEnd.Harness;

/// <summary>Debian's HAProxy in front of a test fleet.</summary>
internal sealed class Haproxy : Front
{
    private readonly string configuration;
    private readonly Place place;
    private RunningProgram? program;

    private Haproxy(string configuration, Place place, int port, string socket)
    {
        this.place = place;
        this.configuration = configuration;
        Port = port;
        Socket = socket;
    }

    public int Port { get; }

    public string Socket { get; }

    public override Uri Url => new($"http://{place.Members}:{Port}");

    private string MasterSocket => $"{Socket}.master";

    /// <summary>Starts it with one backend, <c>demo</c>, and its members.</summary>
    public static async Task<Haproxy> StartAsync(
        string directory, Place place, int port, IEnumerable<(string Name, string Address)> members, CancellationToken cancellation)
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
              bind {place.Members}:{port}
              default_backend demo
            backend demo
              balance roundrobin
              option httpchk GET /health
              default-server check inter 200ms rise 1 fall 2 weight 100
            {string.Join('\n', members.Select(m => $"  server {m.Name} {m.Address}"))}

            """, cancellation);
        var haproxy = new Haproxy(configuration, place, port, socket);
        await haproxy.RunAsync(cancellation);
        return haproxy;
    }

    /// <summary>Starts the processes (again); returns when they serve.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        var (command, arguments) = place.Run("/usr/sbin/haproxy", ["-W", "-db", "-S", MasterSocket, "-f", configuration]);
        program = RunningProgram.Start(command, arguments);
        await Eventually.TrueAsync(async () => await WorkerAsync(cancellation) is not null, "HAProxy's stats socket", cancellation);
    }

    /// <summary>kill -9 of master and workers.</summary>
    public async Task KillAsync()
    {
        if (program is null) return;
        var workers = await ReadWorkersAsync();
        await program.DisposeAsync();
        program = null;
        foreach (var worker in workers) await SignalAsync("KILL", worker);
    }

    /// <summary>
    /// A seamless reload; returns when a new worker answers. By the master's own socket (HAProxy management guide, 9.4): a worker answers
    /// before its master listens to signals, and a USR2 that comes then is lost.
    /// </summary>
    public async Task ReloadAsync(CancellationToken cancellation)
    {
        var before = await WorkerAsync(cancellation);
        await AskAsync("reload", MasterSocket, cancellation);
        await Eventually.TrueAsync(async () => await WorkerAsync(cancellation) is { } now && now != before, "HAProxy's new worker", cancellation);
    }

    /// <summary>It does nothing any more, neither for clients nor at its stats socket, until <see cref="ThawAsync"/>; the kernel takes connections meanwhile.</summary>
    public async Task FreezeAsync()
    {
        foreach (var worker in await ReadWorkersAsync()) await SignalAsync("STOP", worker);
    }

    /// <summary>It goes on.</summary>
    public async Task ThawAsync()
    {
        foreach (var worker in await ReadWorkersAsync()) await SignalAsync("CONT", worker);
    }

    /// <summary>Where its stats socket will be.</summary>
    public static string SocketIn(string directory) => Path.Combine(directory, "haproxy.sock");

    /// <summary>Asks the runtime API.</summary>
    public Task<string> AskAsync(string command, CancellationToken cancellation) => AskAsync(command, Socket, cancellation);

    private static async Task<string> AskAsync(string command, string at, CancellationToken cancellation)
    {
        using var socket = new System.Net.Sockets.Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(at), cancellation);
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(command + "\n"), cancellation);
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(cancellation);
    }

    public override async ValueTask DisposeAsync() => await KillAsync();

    private async Task<string[]> ReadWorkersAsync()
        => (await File.ReadAllTextAsync($"/proc/{program!.Pid}/task/{program.Pid}/children")).Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The worker that serves; null when none answers.</summary>
    private async Task<string?> WorkerAsync(CancellationToken cancellation)
    {
        try
        {
            return (await AskAsync("show info", cancellation)).Split('\n').FirstOrDefault(l => l.StartsWith("Pid: ", StringComparison.Ordinal));
        }
        catch (Exception exception) when (exception is SocketException or IOException)
        {
            return null;
        }
    }

    /// <summary>The old worker of a reload ends when its last request has, or with its master: it may be gone already.</summary>
    private static async Task SignalAsync(string signal, string pid)
    {
        using var kill = Process.Start(new ProcessStartInfo("/bin/kill", [$"-{signal}", pid]) { RedirectStandardError = true })!;
        await kill.WaitForExitAsync();
    }
}
