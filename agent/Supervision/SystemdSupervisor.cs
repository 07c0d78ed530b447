using System.Globalization;
using System.Text.Json;
using Decant.Agent.Elixir;
using Decant.Agent.Instances;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;
using Tmds.DBus.Protocol;

namespace Decant.Agent.Supervision;

/// <summary>
/// Releases as units of systemd: an instance of decant-app@.service for each slot, driven over D-Bus. A unit is never started again by systemd
/// (Restart=no) and never stopped by a job of the agent's: the agent alone decides what runs, and a job that stops a unit is somebody else's.
/// </summary>
internal sealed class SystemdSupervisor : ISupervisor
{
    /// <summary>The variable that tells, in the order of a unit, which release it is of: version and whole digest.</summary>
    private const string Staged = "DECANT_STAGED";

    private readonly SystemdBus bus;
    private readonly SlotEnvironment environments;
    private readonly AppDirectories directories;
    private readonly ProcessSupervisor earlier;
    private readonly string dataDirectory;
    private readonly TimeProvider time;
    private readonly ILogger<SystemdSupervisor> logger;

    /// <summary>Uses a bus, on which nothing is asked yet.</summary>
    /// <param name="bus">systemd.</param>
    /// <param name="environments">Of slots.</param>
    /// <param name="directories">Of slots.</param>
    /// <param name="earlier">What ran here before the agent was told to use systemd: it is taken over, and replaced by the next deployment.</param>
    /// <param name="dataDirectory">Of the agent; the packaged units read what is written below it.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The agent's log.</param>
    public SystemdSupervisor(
        SystemdBus bus,
        SlotEnvironment environments,
        AppDirectories directories,
        ProcessSupervisor earlier,
        string dataDirectory,
        TimeProvider time,
        ILogger<SystemdSupervisor> logger)
    {
        this.bus = bus;
        this.environments = environments;
        this.directories = directories;
        this.earlier = earlier;
        this.time = time;
        this.logger = logger;
        this.dataDirectory = dataDirectory;
        bus.JobDone += unit =>
        {
            if (UnitNames.SlotOf(unit) is { } slot) StartedByOthers?.Invoke(slot);
        };
    }

    /// <inheritdoc/>
    public event Action<InstanceKey>? StartedByOthers;

    /// <inheritdoc/>
    public string Name => "systemd";

    /// <inheritdoc/>
    public async Task<ISupervisedProcess> StartAsync(ReleaseInSlot target, CancellationToken cancellation)
    {
        var unit = UnitNames.Of(target.Key);
        cancellation.ThrowIfCancellationRequested();
        try
        {
            if (await bus.StateAsync(unit) is { IsOver: false })
                throw Failed(target.Key, $"its unit {unit} runs already, and the agent does not know it; systemctl stop {unit}");
            OrderFile.Write(FileOf(target.Key), OrderOf(target));
            var watch = await bus.WatchAsync(unit);
            try
            {
                // Not given up half-way: a unit of Type=exec is started at once or not at all.
                if (await bus.StartAsync(unit, CancellationToken.None) is var result and not SystemdBus.Done)
                    throw Failed(target.Key, $"systemd could not start {unit} ({result}): {await SaidAsync(unit)}");
                var process = await FollowAsync(watch, target.Release.Id);
                WriteDown(target, process);
                return process;
            }
            catch
            {
                watch.Dispose();
                throw;
            }
        }
        catch (IOException exception)
        {
            throw Failed(target.Key, exception.Message);
        }
        catch (DBusExceptionBase exception)
        {
            throw Failed(target.Key, $"systemd did not take the order for {unit}: {exception.Message}");
        }
    }

    /// <inheritdoc/>
    public async Task<ISupervisedProcess?> AdoptAsync(InstanceKey key)
    {
        var watch = await bus.WatchAsync(UnitNames.Of(key));
        if (OrderFile.TryRead(FileOf(key))?.Environment.GetValueOrDefault(Staged) is { } written && ReleaseOf(written) is { } release)
        {
            watch.Arm();
            watch.Asked(await bus.StateAsync(watch.Unit));
            if (watch.State is { IsOver: false, MainPid: > 0 }) return new SystemdProcess(bus, watch, release, time, logger);
        }

        watch.Dispose();
        return await earlier.AdoptAsync(key);
    }

    /// <inheritdoc/>
    public async Task<ProcessExit?> LastExitAsync(InstanceKey key)
    {
        var unit = UnitNames.Of(key);
        var state = await bus.StateAsync(unit);
        var cause = await UnitJournal.WasStoppedByHandAsync(unit) ? ExitCause.StoppedByHand : ExitCause.ItselfOrAgent;
        if (state.Ended is { } ended) return new ProcessExit(state.ExitCode, ended, cause);
        // One that ended well is unloaded, and nothing of it is known but what the journal has.
        return cause == ExitCause.StoppedByHand ? new ProcessExit(null, time.GetUtcNow(), cause) : await earlier.LastExitAsync(key);
    }

    /// <inheritdoc/>
    public IInstanceLog Log(InstanceKey key) => new JournalLog(UnitNames.Of(key));

    /// <inheritdoc/>
    public Task<CommandEnd> RunAsync(CommandOrder order, CancellationToken cancellation) => new SystemdTask(bus, order, time).RunAsync(cancellation);

    /// <inheritdoc/>
    public async Task<string> StartPortMapperAsync(string program, int port, CancellationToken cancellation)
    {
        try
        {
            OrderFile.Write(OrderFile.PathOf(dataDirectory, UnitNames.PortMapperInstance), new UnitOrder
            {
                Program = program,
                Arguments = ["-port", port.ToString(CultureInfo.InvariantCulture), "-address", "127.0.0.1"],
                Environment = new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin" },
                Directory = "/",
                Made = [],
                LowPriority = false,
            });
            return $"{UnitNames.PortMapper}: {await bus.StartAsync(UnitNames.PortMapper, cancellation)}";
        }
        catch (Exception exception) when (exception is DBusExceptionBase or IOException)
        {
            return $"{UnitNames.PortMapper}: {exception.Message}";
        }
    }

    private async Task<SystemdProcess> FollowAsync(UnitWatch watch, ReleaseId release)
    {
        watch.Arm();
        watch.Asked(await bus.StateAsync(watch.Unit));
        return new SystemdProcess(bus, watch, release, time, logger);
    }

    private string FileOf(InstanceKey key) => OrderFile.PathOf(dataDirectory, UnitNames.Instance(key));

    private UnitOrder OrderOf(ReleaseInSlot target) => new()
    {
        Program = target.Release.Script,
        Arguments = ["start"],
        Environment = new Dictionary<string, string>(environments.Of(target.Key, target.Spec, target.Release, target.Deployment))
        {
            [Staged] = $"{target.Release.Id.Version} {target.Release.Id.Digest}",
        },
        Directory = directories.Home(target.Key),
        Made = [],
        LowPriority = false,
    };

    /// <summary>Enough to know it again without the agent's database.</summary>
    private void WriteDown(ReleaseInSlot target, SystemdProcess process) => KeeperFiles.Write(
        KeeperFiles.Instance(directories.Of(target.Key)),
        JsonSerializer.SerializeToUtf8Bytes(
            new KeptInstance
            {
                Pid = process.Identity.Pid,
                StartTicks = process.Identity.StartTicks,
                KeeperPid = 0,
                KeeperStartTicks = 0,
                BootId = process.Identity.BootId,
                Version = target.Release.Id.Version.Value,
                Digest = target.Release.Id.Digest.Value,
                StartedAt = process.StartedAt,
                Slot = KeptSlot.Of(target.Spec),
            },
            KeeperJson.Default.KeptInstance));

    /// <summary>What systemd and the unit's helpers said last, for an error.</summary>
    private static async Task<string> SaidAsync(string unit)
        => await UnitJournal.LastWordsAsync(unit) is { Length: > 0 } words ? words : $"systemctl status {unit} may say why";

    private static ReleaseId? ReleaseOf(string written)
        => written.Split(' ') is [var versionText, var digestText]
            && ReleaseVersion.TryParse(versionText, out var version, out _)
            && Sha256Digest.TryParse(digestText, out var digest, out _)
                ? new ReleaseId(version, digest)
                : null;

    private static OperatorException Failed(InstanceKey key, string why) => new(new OperatorError(
        StatusCode.Aborted, "START_FAILED", $"{key} could not be started: {why}", $"nothing of the agent's runs in the slot; journalctl -u {UnitNames.Of(key)} has more"));
}
