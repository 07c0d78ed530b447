using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Decant.Agent.Configuration;
using Decant.Agent.Elixir;
using Decant.Agent.Instances;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Supervision;

/// <summary>Releases as detached processes, each with its keeper; for hosts without systemd, containers and development.</summary>
internal sealed partial class ProcessSupervisor(
    AgentConfiguration configuration,
    SlotEnvironment environments,
    AppDirectories directories,
    KeeperProgram keeper,
    TimeProvider time,
    ILogger<ProcessSupervisor> logger) : ISupervisor
{
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(15);

    /// <inheritdoc/>
    public string Name => "process";

    /// <inheritdoc/>
    public async Task<ISupervisedProcess> StartAsync(ReleaseInSlot target, CancellationToken cancellation)
    {
        var directory = directories.Of(target.Key);
        var order = new KeeperOrder
        {
            Script = target.Release.Script,
            Environment = new Dictionary<string, string>(environments.Of(target.Key, target.Spec, target.Release, target.Deployment)),
            Directory = directory,
            LogDirectory = directories.Log(target.Key),
            LogBytes = configuration.Limits.LogBytes,
            LogFiles = configuration.Limits.LogFiles,
            Version = target.Release.Id.Version.Value,
            Digest = target.Release.Id.Digest.Value,
            Slot = KeptSlot.Of(target.Spec),
        };
        var answer = await AskKeeperAsync(target.Key, directory, order, cancellation);
        if (answer.Started is not { } kept) throw Failed(target.Key, answer.Problem ?? "the keeper gave no reason");
        return KeptProcess.TryOpen(kept, directory, time) ?? KeptProcess.Ended(kept, directory, time);
    }

    /// <inheritdoc/>
    public Task<ISupervisedProcess?> AdoptAsync(InstanceKey key) => Task.FromResult<ISupervisedProcess?>(Adopt(key));

    /// <inheritdoc/>
    public Task<ProcessExit?> LastExitAsync(InstanceKey key)
        => Task.FromResult(KeeperFiles.ReadExit(directories.Of(key)) is { } exit ? new ProcessExit(exit.ExitCode, exit.At) : null);

    /// <inheritdoc/>
    /// <remarks>Nobody else can: a release that is started by hand is not in a slot.</remarks>
    public event Action<InstanceKey>? StartedByOthers
    {
        add { }
        remove { }
    }

    /// <inheritdoc/>
    public Task<CommandEnd> RunAsync(CommandOrder order, CancellationToken cancellation)
        => ReleaseCommand.RunAsync(order, time, cancellation);

    /// <inheritdoc/>
    /// <remarks>-daemon leaves the caller's session by itself (epmd(1)). It outlives its release's directory: it is in memory by then.</remarks>
    public async Task<string> StartPortMapperAsync(string program, int port, CancellationToken cancellation)
    {
        var end = await ReleaseCommand.RunAsync(
            new CommandOrder(
                program,
                ["-daemon", "-port", port.ToString(CultureInfo.InvariantCulture), "-address", "127.0.0.1"],
                new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin" },
                "/",
                TimeSpan.FromSeconds(10)),
            time,
            cancellation);
        return $"exit code {end.ExitCode}";
    }

    /// <inheritdoc/>
    public IInstanceLog Log(InstanceKey key) => new InstanceLog(directories.Log(key));

    private KeptProcess? Adopt(InstanceKey key)
    {
        var directory = directories.Of(key);
        if (KeeperFiles.ReadInstance(directory) is not { } kept || KeptProcess.TryOpen(kept, directory, time) is not { } process) return null;
        if (!process.HasKeeper) LogNoKeeper(key, kept.Pid);
        return process;
    }

    private async Task<KeeperAnswer> AskKeeperAsync(InstanceKey key, string directory, KeeperOrder order, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(keeper.File, keeper.For(key, directory))
        {
            WorkingDirectory = directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start) ?? throw Failed(key, $"{keeper.File} did not start");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(AnswerLimit);
        try
        {
            await JsonSerializer.SerializeAsync(process.StandardInput.BaseStream, order, KeeperJson.Default.KeeperOrder, limit.Token);
            process.StandardInput.Close();
            var line = await process.StandardOutput.ReadLineAsync(limit.Token);
            if (line is not null) return JsonSerializer.Deserialize(line, KeeperJson.Default.KeeperAnswer)!;
            var errors = await process.StandardError.ReadToEndAsync(limit.Token);
            return new KeeperAnswer { Problem = $"its keeper ended without an answer: {errors.Trim()}" };
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            process.Kill(entireProcessTree: true);
            return new KeeperAnswer { Problem = $"its keeper did not answer within {AnswerLimit.TotalSeconds:0} s" };
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        catch (IOException exception)
        {
            return new KeeperAnswer { Problem = $"its keeper broke off: {exception.Message}" };
        }
    }

    private static OperatorException Failed(InstanceKey key, string why) => new(new OperatorError(
        StatusCode.Aborted, "START_FAILED", $"{key} could not be started: {why}", "nothing runs in the slot; look at the agent's log"));

    [LoggerMessage(300, LogLevel.Warning, "{Key}: its keeper is gone while pid {Pid} runs; its output is lost and its exit code will not be known")]
    private partial void LogNoKeeper(InstanceKey key, int pid);
}
