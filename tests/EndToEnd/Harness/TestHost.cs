using System.Net.Sockets;
using Grpc.Net.Client;

namespace Decant.EndToEnd.Harness;

/// <summary>A host of a test fleet: an agent process with its own directories and port.</summary>
internal sealed class TestHost : IAsyncDisposable
{
    private GrpcChannel? channel;
    private RunningProgram? agent;

    public TestHost(
        string name,
        string directory,
        int agentPort,
        int appPort,
        int epmdPort,
        string balancers,
        string diskFloor = "16MiB",
        int secondPort = 0,
        Place? place = null)
    {
        Name = name;
        Place = place ?? Place.Here;
        Directory = System.IO.Directory.CreateDirectory(Path.Combine(directory, name)).FullName;
        AgentPort = agentPort;
        AppPort = appPort;
        SecondPort = secondPort;
        ConfigurationFile = Path.Combine(Directory, "agent.yml");
        File.WriteAllText(ConfigurationFile, $"""
            host: {name}
            data_dir: {Directory}/data
            listen:
              unix: {AgentSocket}
              tcp: {Place.Address}:{agentPort}
              tls: off
            epmd_port: {epmdPort}
            limits:
              disk_floor: {diskFloor}
            {balancers}
            """);
    }

    public string Name { get; }

    /// <summary>Where it is.</summary>
    public Place Place { get; }

    public string ConfigurationFile { get; }

    /// <summary>Where its agent listens on the network, for the manifest: without TLS.</summary>
    public string AgentAddress => $"http://{Place.Address}:{AgentPort}";

    /// <summary>The agent's unix socket.</summary>
    public string AgentSocket => Path.Combine(Directory, "decantd.sock");

    public string Directory { get; }

    public string Data => Path.Combine(Directory, "data");

    public int AgentPort { get; }

    public int AppPort { get; }

    /// <summary>The port of the second slot; 0: there is one slot.</summary>
    public int SecondPort { get; }

    /// <summary>The ports of its slots.</summary>
    public IEnumerable<int> Ports => SecondPort == 0 ? [AppPort] : [AppPort, SecondPort];

    /// <summary>More environment of the agents that are started from now on.</summary>
    public IReadOnlyDictionary<string, string>? AgentVariables { get; set; }

    public RunningProgram Agent => agent ?? throw new InvalidOperationException($"the agent of {Name} is not running");

    /// <summary>A gRPC channel to the agent.</summary>
    public GrpcChannel Channel => channel ??= Place == Place.Here ? GrpcChannel.ForAddress(AgentAddress) : OverSocket();

    /// <summary>Starts the agent and waits until it is ready.</summary>
    public async Task StartAgentAsync(CancellationToken cancellation)
    {
        var (program, arguments) = Place.Run(Programs.Decantd, ["--config", ConfigurationFile]);
        agent = RunningProgram.Start(program, arguments, AgentVariables);
        await agent.WaitForLineAsync("agent is ready", cancellation);
    }

    /// <summary>Starts the agent as systemd does, with its notify socket and watchdog, and waits until it is ready.</summary>
    public async Task StartAgentUnderSystemdAsync(string notifySocket, TimeSpan watchdog, CancellationToken cancellation)
    {
        var environment = new Dictionary<string, string>
        {
            ["NOTIFY_SOCKET"] = notifySocket,
            ["WATCHDOG_USEC"] = $"{watchdog.TotalMicroseconds:0}",
        };
        agent = RunningProgram.Start(
            "/bin/sh",
            ["-c", "export WATCHDOG_PID=$$; exec \"$@\"", "sh", Programs.Decantd, "--config", ConfigurationFile],
            environment);
        await agent.WaitForLineAsync("agent is ready", cancellation);
    }

    /// <summary>kill -9 of the agent; what it runs goes on.</summary>
    public async Task KillAgentAsync()
    {
        await Agent.DisposeAsync();
        agent = null;
    }

    /// <summary>Stops the agent the way systemd does.</summary>
    public async Task StopAgentAsync(CancellationToken cancellation)
    {
        await Agent.SignalAsync("TERM");
        await Agent.WaitForExitAsync(cancellation);
        await Agent.DisposeAsync();
        agent = null;
    }

    /// <summary>The unix socket is there in every namespace.</summary>
    private GrpcChannel OverSocket() => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(AgentSocket), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        },
        DisposeHttpClient = true,
    });

    public async ValueTask DisposeAsync()
    {
        if (agent is not null) await agent.DisposeAsync();
        agent = null;
        channel?.Dispose();
        await LeftProcesses.KillAsync(Directory);
    }
}
