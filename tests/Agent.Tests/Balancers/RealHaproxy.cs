using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Tests.Balancers;

/// <summary>Debian's HAProxy as master and worker, with its frontend and its stats sockets in a directory of the test's own.</summary>
internal sealed class RealHaproxy : IRealBalancer
{
    private readonly TemporaryDirectory directory = new();
    private readonly HttpMessageInvoker invoker;
    private readonly HttpClient client;
    private Process? master;

    private RealHaproxy()
    {
        invoker = new HttpMessageInvoker(UnixFront.Handler(directory["front.sock"]));
        client = UnixFront.Client(directory["front.sock"], keepAlive: true);
    }

    /// <summary>Options of the servers that the agent makes in tests.</summary>
    public const string MadeMembers = "check inter 100ms rise 1 fall 2 weight 100";

    public string Socket => directory["admin.sock"];

    /// <summary>A stats socket that may not change anything.</summary>
    public string OperatorSocket => directory["operator.sock"];

    private string MasterSocket => directory["master.sock"];

    /// <summary>Starts it with one backend, <c>shop</c>; returns when its checks have seen every healthy member.</summary>
    /// <param name="members">Its servers.</param>
    /// <param name="server">Options of all servers.</param>
    /// <param name="backend">More lines of the backend.</param>
    /// <param name="each">Options of each server.</param>
    public static async Task<RealHaproxy> StartAsync(IEnumerable<TestMember> members, string server = "check inter 100ms rise 1 fall 2", string backend = "", Func<TestMember, string>? each = null)
    {
        var haproxy = new RealHaproxy();
        await File.WriteAllTextAsync(haproxy.directory["haproxy.cfg"], $"""
            global
              stats socket {haproxy.Socket} mode 600 level admin
              stats socket {haproxy.OperatorSocket} mode 600 level operator
              maxconn 200
            defaults
              mode http
              timeout connect 2s
              timeout client 60s
              timeout server 60s
              # Otherwise it is `inter`: a machine that is busy for so long would look like members that are down.
              timeout check 10s
            frontend web
              bind {haproxy.directory["front.sock"]}
              default_backend shop
            backend shop
              balance roundrobin
              option httpchk GET /health
              {backend}
              default-server {server} weight 100
            {string.Join('\n', members.Select(m => $"  server {m.Name} 127.0.0.1:{m.Port} {each?.Invoke(m)}"))}
            backend other
              server a 127.0.0.1:9

            """);
        await haproxy.RunAsync();
        foreach (var member in members.Where(m => m.Healthy && server.Contains("check", StringComparison.Ordinal)))
            await Eventually.TrueAsync(async () => (await haproxy.ReadAsync(member.Name)).Status == "UP", $"{member.Name} up");
        return haproxy;
    }

    /// <summary>Starts the processes (again).</summary>
    public async Task RunAsync()
    {
        master = Process.Start(new ProcessStartInfo("/usr/sbin/haproxy", ["-W", "-db", "-S", MasterSocket, "-f", directory["haproxy.cfg"]]) { RedirectStandardError = true })!;
        master.ErrorDataReceived += (_, _) => { };
        master.BeginErrorReadLine();
        await Eventually.TrueAsync(async () => (await AskAsync("show info")).Contains("Stopping: 0", StringComparison.Ordinal), "HAProxy's stats socket");
    }

    public HaproxyBalancer Balancer(
        HaproxyTimings? timings = null, MemberManagement members = MemberManagement.Fixed, string options = MadeMembers, string? socket = null)
        => new(
            BalancerName.Parse("edge"), new BalancerSettings.Haproxy(socket ?? Socket, members, options), timings ?? new HaproxyTimings(), TimeProvider.System);

    /// <inheritdoc/>
    public IBalancer Open() => Balancer(members: MemberManagement.Managed);

    /// <summary>A member as HAProxy has it, asked apart from what is tested.</summary>
    public async Task<(string Status, int Sessions)> ReadAsync(string member)
    {
        var lines = (await AskAsync("show stat shop 4 -1")).Split('\n');
        var header = lines[0].TrimStart('#', ' ').Split(',');
        var row = lines.Select(l => l.Split(',')).First(f => f.Length > 1 && f[1] == member);
        return (row[Array.IndexOf(header, "status")], int.Parse(row[Array.IndexOf(header, "scur")], CultureInfo.InvariantCulture));
    }

    /// <summary>A request through the frontend; answers with the member's name.</summary>
    public Task<string> GetAsync(string path) => client.GetStringAsync(path);

    /// <summary>A request through the frontend; answers with its status.</summary>
    public async Task<int> StatusOfAsync(string path)
    {
        using var response = await client.GetAsync(path);
        return (int)response.StatusCode;
    }

    /// <summary>A websocket through the frontend, open.</summary>
    public async Task<ClientWebSocket> OpenWebsocketAsync()
    {
        var websocket = new ClientWebSocket();
        await websocket.ConnectAsync(new Uri("ws://haproxy/live"), invoker, default);
        return websocket;
    }

    /// <summary>
    /// A seamless reload; returns when the new worker answers. By the master's own socket (HAProxy management guide, 9.4): a worker answers
    /// before its master listens to signals, and a USR2 that comes then is lost.
    /// </summary>
    public async Task ReloadAsync()
    {
        var before = await PidAsync();
        await AskAsync("reload", MasterSocket);
        await Eventually.TrueAsync(async () => await PidAsync() != before, "a new worker");
    }

    /// <summary>kill -9 of master and workers.</summary>
    public async Task KillAsync()
    {
        if (master is null) return;
        var workers = (await File.ReadAllTextAsync($"/proc/{master.Id}/task/{master.Id}/children")).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        master.Kill();
        foreach (var worker in workers) KillWorker(int.Parse(worker, CultureInfo.InvariantCulture));
        await master.WaitForExitAsync();
        master.Dispose();
        master = null;
    }

    public Task<string> AskAsync(string command) => AskAsync(command, Socket);

    private static async Task<string> AskAsync(string command, string at)
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(at));
            await using var stream = new NetworkStream(socket);
            await stream.WriteAsync(Encoding.ASCII.GetBytes(command + "\n"));
            using var reader = new StreamReader(stream);
            return await reader.ReadToEndAsync();
        }
        catch (Exception exception) when (exception is SocketException or IOException)
        {
            return "";
        }
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        invoker.Dispose();
        await KillAsync();
        directory.Dispose();
    }

    private async Task<string?> PidAsync()
        => (await AskAsync("show info")).Split('\n').FirstOrDefault(l => l.StartsWith("Pid: ", StringComparison.Ordinal));

    private static void KillWorker(int pid)
    {
        try
        {
            using var worker = Process.GetProcessById(pid);
            worker.Kill();
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
        {
            // The old worker of a reload ends when its last request has, or with its master.
        }
    }
}
