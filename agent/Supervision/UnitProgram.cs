using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using Decant.Agent.Operations;

namespace Decant.Agent.Supervision;

/// <summary>
/// The first process of the app's units: takes an order from the agent, as the app's user and with the app's secrets in its environment, which the
/// agent cannot read, and carries it out. systemd itself reads nothing that the agent can write: what root reads for somebody, that one can point
/// elsewhere.
/// </summary>
internal static partial class UnitProgram
{
    /// <summary>First argument of decantd that makes it the process of decant-app@.service; the second names the instance.</summary>
    public const string AppMode = "run-app";

    /// <summary>First argument of decantd that makes it the process of decant-task@.service; the second names the instance.</summary>
    public const string TaskMode = "run-task";

    private const int SigPipe = 13;

    /// <summary>What each of its connections begins with: the order's, and its two streams'.</summary>
    public const string Streams = "oe";

    /// <summary>What the connection of the order begins with.</summary>
    public const char Order = 'c';

    private const UnixFileMode HomeMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute;

    /// <summary>Where the agent waits for the process of a command: an abstract socket (unix(7)), which needs no directory that both may enter.</summary>
    public static UnixDomainSocketEndPoint SocketOf(string instance) => new($"\0decant-task/{instance}");

    /// <summary>Becomes the release of a slot, by the order that the agent has left.</summary>
    /// <returns>Exit code, when it cannot.</returns>
    public static int RunApp(string instance)
    {
        var file = OrderFile.PathOf(SupervisorChoice.PackagedDirectory, instance);
        if (OrderFile.TryRead(file) is not { } order)
        {
            Console.Error.WriteLine($"decantd: {file} has no order for {instance}: the agent writes it when it starts the slot");
            return 2;
        }

        // .NET ignores it, and what is ignored stays so over execve(2).
        _ = Signal(SigPipe, 0);
        Execute(order.Program, order.Arguments, EnvironmentOf(order));
        Console.Error.WriteLine($"decantd: {order.Program} could not be executed: {Marshal.GetLastPInvokeErrorMessage()}");
        return 127;
    }

    /// <summary>Asks the agent for a command's order, does it and ends as it does. Its output goes straight to the agent.</summary>
    public static async Task<int> RunTaskAsync(string instance)
    {
        UnitOrder? order;
        using (var connection = Connect(instance, Order))
        {
            await using var stream = new NetworkStream(connection);
            order = await JsonSerializer.DeserializeAsync(stream, UnitJson.Default.UnitOrder);
        }

        if (order is null) return 2;
        foreach (var (kind, descriptor) in Streams.Zip([1, 2]))
        {
            using var stream = Connect(instance, kind);
            _ = Dup2((int)stream.Handle, descriptor);
        }

        foreach (var directory in order.Made.Prepend(order.Directory))
        {
            if (Directory.Exists(directory)) continue;
            Directory.CreateDirectory(directory);
            File.SetUnixFileMode(directory, HomeMode);
        }

        IEnumerable<string> command = [order.Program, .. order.Arguments];
        if (order.LowPriority) command = ["/usr/bin/nice", "-n", $"{LowPriority.Nice}", .. command];
        var start = new ProcessStartInfo(command.First(), command.Skip(1)) { WorkingDirectory = order.Directory };
        start.Environment.Clear();
        foreach (var (name, value) in EnvironmentOf(order)) start.Environment[name] = value;
        // A signal to the unit reaches the command itself; this process waits for its end.
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => context.Cancel = true);
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    private static Dictionary<string, string> EnvironmentOf(UnitOrder order)
    {
        var environment = new Dictionary<string, string>(order.Environment);
        var own = Environment.GetEnvironmentVariables();
        foreach (var name in AppSecrets.NamesIn(own)) environment[name] = (string)own[name]!;
        return environment;
    }

    /// <summary>Returns only when it fails.</summary>
    private static unsafe void Execute(string program, IReadOnlyList<string> arguments, Dictionary<string, string> environment)
    {
        var argv = Strings([program, .. arguments]);
        var envp = Strings([.. environment.Select(variable => $"{variable.Key}={variable.Value}")]);
        fixed (nint* first = argv, variables = envp) _ = Execve(program, first, variables);
    }

    /// <summary>Ends with a null, as execve(2) wants it. Never freed: the process becomes another one.</summary>
    private static nint[] Strings(IReadOnlyList<string> texts) => [.. texts.Select(Marshal.StringToCoTaskMemUTF8), 0];

    private static Socket Connect(string instance, char kind)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(SocketOf(instance));
        socket.Send([(byte)kind]);
        return socket;
    }

    [LibraryImport("libc", EntryPoint = "dup2")]
    private static partial int Dup2(int from, int to);

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Signal(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "execve", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Execve(string path, nint* arguments, nint* environment);
}
