using Decant.Agent.Api;
using Decant.Agent.Configuration;
using Decant.Agent.Elixir;
using Decant.Agent.Health;
using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Agent.State;
using Decant.Agent.Supervision;
using Decant.Agent.Tests.Balancers;
using Decant.EndToEnd.Harness;
using Decant.Errors;
using Decant.Names;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Decant.Agent.Tests;

/// <summary>
/// A host with the agent's own parts as Program.cs puts them together, the real decantd as keeper, an epmd and ports of its own. The agent can
/// be ended and opened again; what it runs goes on. What is left at the end is killed.
/// </summary>
internal sealed class AgentHost : IAsyncDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly FreePorts ports = new();
    private readonly IReadOnlyList<ReleaseId> demo;

    private AgentHost(IReadOnlyList<ReleaseId> demo, Func<AgentConfiguration, AgentConfiguration>? change)
    {
        this.demo = demo;
        var configuration = new AgentConfiguration
        {
            Host = "web1",
            DataDirectory = directory["data"],
            File = directory["agent.yml"],
            EpmdPort = ports.Next(),
            Limits = new HostLimits { DiskFloorBytes = 0 },
            Restart = new RestartSettings { BackoffMin = TimeSpan.FromMilliseconds(50), BackoffMax = TimeSpan.FromMilliseconds(200) },
        };
        Configuration = change?.Invoke(configuration) ?? configuration;
        Directory.CreateDirectory(Configuration.DataDirectory);
        OpenAgent();
    }

    public AgentConfiguration Configuration { get; }

    public string Path => directory.Path;

    public StagedRelease One => Releases.Get(DemoReleases.App, demo[0].Version, demo[0].Digest);

    public StagedRelease Two => Releases.Get(DemoReleases.App, demo[1].Version, demo[1].Digest);

    public AppDirectories Directories { get; private set; } = null!;

    public Cookies Cookies { get; private set; } = null!;

    public SlotEnvironment Environment { get; private set; } = null!;

    public ReleaseScript Script { get; private set; } = null!;

    public Epmd Epmd { get; private set; } = null!;

    public AgentDatabase Database { get; private set; } = null!;

    public ReleaseStore Releases { get; private set; } = null!;

    public ProcessSupervisor Supervisor { get; private set; } = null!;

    public InstanceStore Store { get; private set; } = null!;

    public InstanceRegistry Instances { get; private set; } = null!;

    public HealthProber Prober { get; private set; } = null!;

    public HealthWait HealthWait { get; private set; } = null!;

    public RecordedReport Report { get; } = new();

    public static async Task<AgentHost> CreateAsync(Func<AgentConfiguration, AgentConfiguration>? change = null)
        => new(await DemoReleases.GetAsync(), change);

    /// <summary>A health check that answers soon.</summary>
    public static HealthCheck Check(HealthProbe probe, int rise = 1, int fall = 1) => new(
        probe, TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(25), TimeSpan.FromSeconds(5), rise, fall);

    public static HealthCheck Ready => Check(new HealthProbe.Http("/health", null, null, null));

    public static InstanceKey Key(string slot) => new(DemoReleases.App, SlotName.Parse(slot));

    public static async Task<OperatorError> RefusedAsync(Func<Task> act) => (await Assert.ThrowsAsync<OperatorException>(act))!.Error;

    /// <summary>A port that nobody uses.</summary>
    public int NextPort() => ports.Next();

    /// <summary>Settings of a slot, with a port of its own and the variables that its demo app is to have.</summary>
    public SlotSpec Spec(string node, params (string Name, string Value)[] variables) => new(
        NextPort(),
        NodeName.Parse(node),
        Distribution: true,
        new Dictionary<string, string>(variables.Select(v => KeyValuePair.Create(v.Name, v.Value))) { ["DEMO_WARMUP_MS"] = "0" });

    public static ReleaseInSlot Target(string slot, SlotSpec spec, StagedRelease release) => new(Key(slot), spec, release, Deployment: null);

    /// <summary>Starts a release in a slot.</summary>
    public async Task<InstanceSlot> StartAsync(
        string slot, SlotSpec spec, StagedRelease release, CancellationToken cancellation, HealthCheck? health = null)
    {
        var wanted = new InstanceRecord(Key(slot), Wanted: true, release.Id, spec, health, Deployment: null, 0, LastExit: null);
        var found = Instances.GetOrAdd(wanted with { Wanted = false });
        await found.StartAsync(wanted, Report, cancellation);
        return found;
    }

    /// <summary>Waits until it is healthy and verified.</summary>
    public Task<Healthy> AwaitHealthyAsync(
        InstanceSlot slot, StagedRelease release, CancellationToken cancellation, HealthCheck? check = null, TimeSpan? minHealthy = null, TimeSpan? deadline = null)
        => HealthWait.RunAsync(
            slot,
            new ReleaseInSlot(slot.Key, slot.Snapshot().Record.Spec, release, Deployment: null),
            check ?? Ready,
            new HealthPatience(deadline ?? TimeSpan.FromSeconds(60), minHealthy ?? TimeSpan.Zero),
            Report,
            cancellation);

    public Task<Stopped> StopAsync(InstanceSlot slot, CancellationToken cancellation, double script = 30, double term = 30)
        => slot.StopAsync(new StopDeadlines(TimeSpan.FromSeconds(script), TimeSpan.FromSeconds(term)), goneBackFrom: false, Report, cancellation);

    /// <summary>The agent ends; what it runs goes on.</summary>
    public void EndAgent()
    {
        Instances.Dispose();
        Prober.Dispose();
        Database.Dispose();
    }

    /// <summary>An agent begins, and does not look at what runs before <see cref="InstanceRegistry.ResumeAllAsync"/>.</summary>
    public void OpenAgent()
    {
        var time = TimeProvider.System;
        Database = AgentDatabase.Open(System.IO.Path.Combine(Configuration.DataDirectory, "agent.db"));
        Store = new InstanceStore(Database);
        Releases = DemoReleases.Open(new ReleaseUse(Store, DemoReleases.Directories));
        Directories = new AppDirectories(Configuration.DataDirectory);
        Cookies = new Cookies(Directories);
        Environment = new SlotEnvironment(Configuration, Directories, Cookies);
        Supervisor = new ProcessSupervisor(
            Configuration, Environment, Directories, new KeeperProgram(Programs.Decantd, []), time, NullLogger<ProcessSupervisor>.Instance);
        Script = new ReleaseScript(Environment, Directories, Supervisor);
        Epmd = new Epmd(Configuration, Supervisor, time, NullLogger<Epmd>.Instance);
        Prober = new HealthProber(Script, time);
        Instances = new InstanceRegistry(
            new InstanceParts(Supervisor, Releases, Script, Epmd, Prober, Store, new CrashDumps(Directories), Configuration.Restart, time),
            NullLogger<InstanceSlot>.Instance);
        HealthWait = new HealthWait(Prober, new RunningVerification(Script, Epmd, time), Store, time);
    }

    /// <summary>Gives its parts to a service about instances.</summary>
    public IServiceCollection AddTo(IServiceCollection services) => services
        .AddSingleton(Instances)
        .AddSingleton(Releases)
        .AddSingleton(HealthWait)
        .AddSingleton(Script)
        .AddSingleton<LogFollowers>()
        .AddSingleton(new Preflight(Script, new SharedLibraries(TimeProvider.System), Configuration, DiskSpace.Real(Configuration.Limits)))
        .AddSingleton(new Migrations(Script, Database, TimeProvider.System));

    public async ValueTask DisposeAsync()
    {
        EndAgent();
        await LeftProcesses.KillAsync(Path);
        // epmd belongs to nobody, so nothing of it names this host but its port.
        if (ListeningSockets.OwnerOf(Configuration.EpmdPort) is { } epmd) Signals.Kill(epmd);
        ports.Dispose();
        directory.Dispose();
    }
}
