using System.Globalization;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Controller.State;
using Decant.Names;

namespace Decant.Controller.Tests.Execution;

/// <summary>A deployment of 2.0.0 over 1.0.0 on simulated hosts, with the real planner, executor and journal.</summary>
internal sealed class Simulation : IDisposable
{
    public static readonly ReleaseId Older = Release("0.9.0", '0');
    public static readonly ReleaseId Old = Release("1.0.0", '1');
    public static readonly ReleaseId New = Release("2.0.0", '2');

    private readonly string directory = Directory.CreateTempSubdirectory("decant-simulation-").FullName;
    private readonly JournalDatabase database = JournalDatabase.InMemory();
    private readonly Func<Step, OperationId, Fault> faults;

    public Simulation(
        int seed,
        int hosts = 3,
        int batch = 1,
        int budget = 0,
        bool autoRollback = true,
        Func<Step, OperationId, Fault>? faults = null,
        StrategyKind kind = StrategyKind.Rolling,
        bool isSwitch = false,
        CanaryPolicy? canary = null,
        int min = 0)
    {
        this.faults = faults ?? ((_, _) => Fault.None);
        Turns = new Turns(seed);
        Manifest = ManifestOf(hosts, batch, budget, autoRollback, kind, isSwitch, canary, min);
        Fleet = new SimulatedFleet(Manifest, Turns, Old, (step, operation) => this.faults(step, operation));
        Journal = new DeploymentJournal(database);
        Service = ServiceOf(seed);
    }

    private Simulation(Simulation other)
    {
        (faults, Turns, Manifest, Fleet) = (other.faults, other.Turns, other.Manifest, other.Fleet);
        Journal = new DeploymentJournal(database);
        Service = ServiceOf(seed: 2);
    }

    public Turns Turns { get; }

    public DeploymentManifest Manifest { get; }

    public SimulatedFleet Fleet { get; }

    public DeploymentJournal Journal { get; }

    public DeploymentService Service { get; }

    public List<DeploymentEvent> Events { get; } = [];

    /// <summary>Called for each event, before the next thing happens.</summary>
    public Action<DeploymentEvent>? OnEvent { get; set; }

    public static bool IsRollback(OperationId operation) => operation.Value.Contains("/rollback/", StringComparison.Ordinal);

    public DeploymentOutcome Deploy(StopSignal? stop = null, bool again = false)
        => Turns.Run(Service.DeployAsync(new DeployRequest(new ManifestSource("decant.yml", ""), Manifest, New, null, again), stop ?? new StopSignal()));

    public DeploymentOutcome Resume(DeploymentId id, StopSignal? stop = null)
        => Turns.Run(Service.ResumeAsync(Journal.Find(id)!, Manifest, stop ?? new StopSignal()));

    public DeploymentOutcome Promote(DeploymentId id) => Turns.Run(Service.PromoteAsync(Journal.Find(id)!, Manifest, new StopSignal()));

    public DeploymentOutcome Abort(DeploymentId id) => Turns.Run(Service.AbortAsync(Journal.Find(id)!, Manifest, new StopSignal()));

    public DeploymentOutcome Rollback(StopSignal? stop = null, bool down = false) => Later().Turns.Run(Service.RollbackAsync(
        new RollbackRequest(new ManifestSource("decant.yml", ""), Manifest, null, down), stop ?? new StopSignal()));

    public (DeploymentOutcome Outcome, IReadOnlyList<Finding> Left) Repair(StopSignal? stop = null, Plan? agreed = null) => Later().Turns.Run(Service.RepairAsync(
        new RepairRequest(new ManifestSource("decant.yml", ""), Manifest, agreed), stop ?? new StopSignal()));

    public RepairProposal ProposeRepair() => Turns.Run(Service.ProposeRepairAsync(Manifest, CancellationToken.None));

    /// <summary>A controller on another machine, with a journal of its own, before the same fleet.</summary>
    public Simulation Elsewhere() => new(this);

    /// <summary>Asks the agents for what this machine does not know.</summary>
    public Recollection Recall() => Turns.Run(Service.RecallAsync(Manifest, CancellationToken.None));

    public void Dispose()
    {
        database.Dispose();
        Directory.Delete(directory, recursive: true);
    }

    /// <summary>A second goes by: ids of deployments sort by the second in which they began.</summary>
    public void WaitASecond()
    {
        Turns.Run(WaitAsync());

        async Task<bool> WaitAsync()
        {
            await Task.Delay(TimeSpan.FromSeconds(1), Turns);
            return true;
        }
    }

    private Simulation Later()
    {
        WaitASecond();
        return this;
    }

    private DeploymentService ServiceOf(int seed)
        => new(new StateDirectory(directory), Journal, _ => Fleet, Turns, new Random(seed), new ExecutorOptions(), Heard);

    private void Heard(DeploymentEvent item)
    {
        Events.Add(item);
        OnEvent?.Invoke(item);
    }

    private static ReleaseId Release(string version, char digit) => new(ReleaseVersion.Parse(version), Sha256Digest.Parse(new string(digit, 64)));

    private static DeploymentManifest ManifestOf(
        int hosts, int batch, int budget, bool autoRollback, StrategyKind kind, bool isSwitch, CanaryPolicy? canary, int min)
    {
        var second = TimeSpan.FromSeconds(1);
        var environment = new Dictionary<string, string>();
        IReadOnlyList<SlotSettings> slots = isSwitch
            ? [new SlotSettings(SlotName.Parse("blue"), 4001, "", environment, true), new SlotSettings(SlotName.Parse("green"), 4002, "", environment, true)]
            : [new SlotSettings(SlotName.Parse("main"), 4000, "", environment, true)];
        var names = Enumerable.Range(1, hosts).Select(i => HostName.Parse(string.Create(CultureInfo.InvariantCulture, $"web{i}"))).ToList();
        return new DeploymentManifest(
            AppName.Parse("shop"),
            [.. names.Select(n => new ManifestHost(n, AgentAddress.Parse($"unix:/{n}"), "127.0.0.1", slots))],
            [.. new[] { "edge1", "edge2" }.Select(b => new ManifestBalancer(
                HostName.Parse(b), AgentAddress.Parse($"unix:/{b}"), BalancerName.Parse("haproxy"), MemberName.Parse("shop"), slots.Count > 1 ? "{host}-{slot}" : "{host}"))],
            new HealthPolicy(new HealthProbe.Tcp(), second, second, second, 2, 3),
            new MigrationPolicy("Shop.Release.migrate()", names[0], second, "Shop.Release.rollback(1)"),
            new DeploymentStrategy(
                kind, new HostShare.Count(batch), new HostShare.Count(min), second, second, second, second, second, second, second * 600, budget, autoRollback, canary),
            5);
    }
}
