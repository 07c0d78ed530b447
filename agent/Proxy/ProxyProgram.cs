using System.Net.Sockets;
using System.Runtime.InteropServices;
using Decant.Agent.Configuration;
using Decant.Agent.Hosting;
using Microsoft.Extensions.Hosting.Systemd;
using Serilog.Extensions.Logging;

namespace Decant.Agent.Proxy;

/// <summary><c>decantd proxy</c>: the embedded proxy, a process of its own, so that the agent's restart does not touch traffic.</summary>
internal static partial class ProxyProgram
{
    /// <summary>The first argument that asks for it.</summary>
    public const string Mode = "proxy";

    private const string InlineCompletions = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>Runs until SIGTERM or SIGINT; returns the exit code.</summary>
    public static async Task<int> RunAsync(AgentConfiguration configuration)
    {
        if (configuration.Proxy is not { } settings)
            return Refuse($"{configuration.File} has no section \"proxy\"; an empty one will do: proxy: {{}}");
        // Before the first socket: the thread that polls goes on with what it found. Nothing here blocks, and it saves a switch for each read.
        if (Environment.GetEnvironmentVariable(InlineCompletions) is null) Environment.SetEnvironmentVariable(InlineCompletions, "1");

        var directory = Path.Combine(configuration.DataDirectory, "proxy");
        using var ownership = DataDirectoryLock.TryTake(directory, out var refusal);
        if ((refusal ?? UnixListener.MakeRoom(settings.Socket, "proxy.socket")) is { } reason) return Refuse(reason);

        using var stopped = new SemaphoreSlim(0);
        using var onTerm = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var onInt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        await using var log = AgentLogging.Create(configuration.Logging, configuration.Host);
        var passed = PassedSockets.Take();
        await using var proxy = new ProxyHost(
            settings,
            Path.Combine(directory, "state.json"),
            passed,
            logging => logging
                .SetMinimumLevel(configuration.Logging.Level)
                .AddProvider(new SerilogLoggerProvider(log))
                // Told by the proxy itself, with the member's name.
                .AddFilter("Yarp", LogLevel.None)
                .AddFilter("Microsoft", LogLevel.Warning),
            TimeProvider.System);
        try
        {
            await proxy.StartAsync(CancellationToken.None);
        }
        catch (IOException exception)
        {
            return Refuse($"cannot listen: {exception.Message}; another proxy may run here, or proxy.listen in agent.yml is taken");
        }
        catch (SocketException exception) when (passed.Count > 0)
        {
            return Refuse($"a socket that was passed (LISTEN_FDS) cannot be used: {exception.Message}");
        }
        catch (InvalidDataException exception)
        {
            return Refuse(exception.Message);
        }

        var systemd = new SystemdNotifier();
        systemd.Notify(ServiceState.Ready);
        LogReady(
            proxy.Logger,
            AgentIdentity.Version,
            Environment.ProcessId,
            passed.Count > 0 ? $"{passed.Count} passed sockets" : string.Join(" and ", proxy.Addresses),
            settings.Socket,
            proxy.Backends.All.Sum(b => b.Members.Count));
        await stopped.WaitAsync();
        systemd.Notify(ServiceState.Stopping);
        LogStopping(proxy.Logger);
        await proxy.StopAsync();
        return 0;

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stopped.Release();
        }
    }

    private static int Refuse(string reason)
    {
        Console.Error.WriteLine($"decantd: {reason}");
        return 1;
    }

    [LoggerMessage(33, LogLevel.Information, "proxy is ready: version {Version}, pid {Pid}, listening on {Listeners}, driven by {Socket}, {Members} members as before")]
    private static partial void LogReady(ILogger logger, string version, int pid, string listeners, string socket, int members);

    [LoggerMessage(34, LogLevel.Information, "proxy is stopping: requests in flight finish first")]
    private static partial void LogStopping(ILogger logger);
}
