using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Decant.Agent.Supervision;

/// <summary>
/// The keeper of one instance: a process of its own between agent and release, so that the release survives the agent, its output is
/// logged and its exit code learned while no agent runs. Ends when the release has ended.
/// </summary>
internal static partial class InstanceKeeper
{
    /// <summary>First argument of decantd that makes it a keeper; the second names the instance, for people who read ps.</summary>
    public const string Mode = "keep-instance";

    private const int MaxLine = 64 * 1024;
    private static readonly TimeSpan PipeGrace = TimeSpan.FromSeconds(1);

    /// <summary>Reads the order from standard input, starts the release, answers, and keeps it until its end.</summary>
    public static async Task<int> RunAsync()
    {
        // A session of its own: no terminal's Ctrl-C, no hang-up of the agent's session reaches the release (setsid(2)).
        _ = SetSid();
        using var hangUp = Ignore(PosixSignal.SIGHUP);
        using var interrupt = Ignore(PosixSignal.SIGINT);
        using var terminate = Ignore(PosixSignal.SIGTERM);
        using var quit = Ignore(PosixSignal.SIGQUIT);

        await using var input = Console.OpenStandardInput();
        var order = await JsonSerializer.DeserializeAsync(input, KeeperJson.Default.KeeperOrder);
        if (order is null) return 2;
        using var log = new LogWriter(order.LogDirectory, order.LogBytes, order.LogFiles, TimeProvider.System);
        Process? release = null;
        KeptInstance kept;
        try
        {
            release = Start(order);
            kept = Describe(order, release);
            File.Delete(KeeperFiles.Exit(order.Directory));
            KeeperFiles.Write(KeeperFiles.Instance(order.Directory), JsonSerializer.SerializeToUtf8Bytes(kept, KeeperJson.Default.KeptInstance));
        }
        catch (Exception exception) when (exception is IOException or System.ComponentModel.Win32Exception or UnauthorizedAccessException)
        {
            // What nobody can find again must not run.
            if (release is not null)
            {
                release.Kill(entireProcessTree: true);
                await release.WaitForExitAsync();
            }

            await AnswerAsync(new KeeperAnswer { Problem = exception.Message });
            return 1;
        }

        try
        {
            await AnswerAsync(new KeeperAnswer { Started = kept });
        }
        catch (IOException)
        {
            // The agent died meanwhile; the next one finds what runs by the file.
        }

        LeaveStandardStreams();
        var output = Task.WhenAll(
            PumpAsync(release.StandardOutput, log, isError: false),
            PumpAsync(release.StandardError, log, isError: true));
        await release.WaitForExitAsync();
        // A grandchild may hold the pipes for ever; what it prints is no longer the release's.
        await Task.WhenAny(output, Task.Delay(PipeGrace));
        KeeperFiles.Write(
            KeeperFiles.Exit(order.Directory),
            JsonSerializer.SerializeToUtf8Bytes(
                new KeptExit { Pid = kept.Pid, StartTicks = kept.StartTicks, ExitCode = release.ExitCode, At = DateTimeOffset.UtcNow },
                KeeperJson.Default.KeptExit));
        return 0;
    }

    private static Process Start(KeeperOrder order)
    {
        var start = new ProcessStartInfo(order.Script, ["start"])
        {
            WorkingDirectory = order.Directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (var (name, value) in order.Environment) start.Environment[name] = value;
        var release = Process.Start(start)!;
        release.StandardInput.Close();
        return release;
    }

    private static KeptInstance Describe(KeeperOrder order, Process release)
    {
        var keeper = ProcessIdentity.Of(Environment.ProcessId)!;
        // Gone already? Then its start time does not matter any more; its exit code is written all the same.
        var identity = ProcessIdentity.Of(release.Id) ?? new ProcessIdentity(release.Id, 0, ProcessIdentity.ThisBoot);
        return new KeptInstance
        {
            Pid = identity.Pid,
            StartTicks = identity.StartTicks,
            KeeperPid = keeper.Pid,
            KeeperStartTicks = keeper.StartTicks,
            BootId = identity.BootId,
            Version = order.Version,
            Digest = order.Digest,
            StartedAt = DateTimeOffset.UtcNow,
            Slot = order.Slot,
        };
    }

    private static async Task AnswerAsync(KeeperAnswer answer)
    {
        await using var output = Console.OpenStandardOutput();
        await JsonSerializer.SerializeAsync(output, answer, KeeperJson.Default.KeeperAnswer);
        await output.WriteAsync("\n"u8.ToArray());
        await output.FlushAsync();
    }

    private static async Task PumpAsync(StreamReader reader, LogWriter log, bool isError)
    {
        var buffer = new char[16 * 1024];
        var partial = new StringBuilder();
        var lines = new List<string>();
        int read;
        while ((read = await reader.ReadAsync(buffer)) > 0)
        {
            foreach (var c in buffer.AsSpan(0, read))
            {
                if (c != '\n')
                {
                    partial.Append(c);
                    if (partial.Length < MaxLine) continue;
                }

                lines.Add(partial.ToString().TrimEnd('\r'));
                partial.Clear();
            }

            log.Write(lines, isError);
            lines.Clear();
        }

        if (partial.Length > 0) log.Write([partial.ToString()], isError);
    }

    private static PosixSignalRegistration Ignore(PosixSignal signal) => PosixSignalRegistration.Create(signal, context => context.Cancel = true);

    /// <summary>The agent's pipes are let go: an agent that ends must not be waited for, and none of it must break the keeper.</summary>
    private static void LeaveStandardStreams()
    {
        using var nowhere = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite);
        for (var descriptor = 0; descriptor <= 2; descriptor++) _ = Dup2((int)nowhere.DangerousGetHandle(), descriptor);
    }

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int SetSid();

    [LibraryImport("libc", EntryPoint = "dup2")]
    private static partial int Dup2(int from, int to);
}
