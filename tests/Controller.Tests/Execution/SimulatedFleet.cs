using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Tests.Execution;

/// <summary>
/// Hosts and balancers as values, with agents that journal operations by id as the contract asks, faults on demand, and a
/// watch over what must never happen.
/// </summary>
internal sealed class SimulatedFleet : IFleet
{
    private readonly DeploymentManifest manifest;
    private readonly Turns turns;
    private readonly ReleaseId before;
    private readonly Func<Step, OperationId, Fault> faults;
    private readonly Dictionary<HostName, SimulatedHost> hosts;
    private readonly Dictionary<(HostName Balancer, HostName Host), bool> ready = [];
    private readonly Dictionary<string, StepOutcome> journal = [];
    private readonly HashSet<string> broken = [];
    private readonly HashSet<AgentAddress> dead = [];

    public SimulatedFleet(DeploymentManifest manifest, Turns turns, ReleaseId before, Func<Step, OperationId, Fault> faults)
    {
        (this.manifest, this.turns, this.before, this.faults) = (manifest, turns, before, faults);
        hosts = manifest.Hosts.ToDictionary(h => h.Name, h => new SimulatedHost(before));
        foreach (var (balancer, host) in from b in manifest.Balancers from h in manifest.Hosts select (b.Key, h.Name)) ready[(balancer, host)] = true;
        FewestInRotation = InRotation;
    }

    /// <summary>What must never happen and did.</summary>
    public List<string> Violations { get; } = [];

    /// <summary>Steps that took effect, in order, by key.</summary>
    public List<string> Done { get; } = [];

    /// <summary>A good release from before the one that runs at first; null: there is none.</summary>
    public ReleaseId? Earlier { get; set; }

    public int FewestInRotation { get; private set; }

    public int InRotation => manifest.Hosts.Count(h => IsInRotation(h.Name));

    public IEnumerable<ReleaseId?> Running => manifest.Hosts.Select(h => hosts[h.Name].Runs);

    public bool IsInRotation(HostName host) => hosts[host].Healthy && manifest.Balancers.All(b => ready[(b.Key, host)]);

    public ReleaseId? RunningOn(HostName host) => hosts[host].Runs;

    /// <summary>Dead agents come back.</summary>
    public void Revive() => dead.Clear();

    public Task<HostObservation> ObserveAsync(ManifestHost host, AppName app, CancellationToken cancellation)
    {
        if (dead.Contains(host.Agent)) return Task.FromResult<HostObservation>(new HostObservation.Unreachable(Gone(host.Name)));
        var it = hosts[host.Name];
        var staged = new HashSet<ReleaseId>(it.Staged) { before };
        if (Earlier is not null) staged.Add(Earlier);
        return Task.FromResult<HostObservation>(new HostObservation.Seen(
            staged, it.Runs == before ? Earlier : before, it.Runs is null ? null : new RunningInstance(it.Runs, it.Healthy, host.Slot), null));
    }

    public Task<BalancerObservation> ObserveAsync(ManifestBalancer balancer, CancellationToken cancellation)
        => Task.FromResult<BalancerObservation>(dead.Contains(balancer.Agent)
            ? new BalancerObservation.Unreachable(Gone(balancer.Key))
            : new BalancerObservation.Seen(
                manifest.Hosts.ToDictionary(
                    h => balancer.MemberOf(h.Name),
                    h => !ready[(balancer.Key, h.Name)] ? MemberStanding.Draining : hosts[h.Name].Healthy ? MemberStanding.Ready : MemberStanding.Down),
                null));

    public async Task<StepOutcome> RunAsync(
        Step step, OperationId operation, DeploymentId deployment, Action<StepProgress> progress, CancellationToken cancellation)
    {
        await turns.NextAsync(cancellation);
        if (dead.Contains(step.Agent)) return new StepOutcome.Unknown(Gone(step.Host));
        var fault = faults(step, operation);
        var first = broken.Add(operation.Value);
        if (fault == Fault.BreaksBefore && first) return new StepOutcome.Unknown(Gone(step.Host));
        if (fault == Fault.Lost && !first) return new StepOutcome.Unknown(Gone(step.Host));
        progress(new StepProgress.Message("working"));
        if (!journal.TryGetValue(operation.Value, out var outcome))
        {
            outcome = journal[operation.Value] = fault == Fault.Fails ? Failed(step, "INJECTED") : Do(step);
            FewestInRotation = Math.Min(FewestInRotation, InRotation);
        }

        if (fault == Fault.AgentDies) dead.Add(step.Agent);
        await turns.NextAsync(cancellation);
        if (fault == Fault.Interrupted && !operation.Value.Contains("/again-", StringComparison.Ordinal)) outcome = journal[operation.Value] = Failed(step, "OPERATION_INTERRUPTED");
        return fault is Fault.Lost or Fault.AgentDies || (fault == Fault.BreaksAfter && first) ? new StepOutcome.Unknown(Gone(step.Host)) : outcome;
    }

    private StepOutcome Do(Step step)
    {
        var host = hosts[step.Host];
        switch (step)
        {
            case StageStep stage:
                host.Staged.Add(stage.Release);
                break;
            case MigrateStep:
                if (Done.Any(d => d.EndsWith("/migrate", StringComparison.Ordinal))) Violations.Add("migrated twice");
                if (Done.Any(d => d.Contains("/drain", StringComparison.Ordinal) || d.EndsWith("/stop", StringComparison.Ordinal))) Violations.Add("migrated after a cutover began");
                break;
            case DrainStep drain:
                if (manifest.Hosts.Count(h => h.Name != step.Host && hosts[h.Name].Healthy && ready[(drain.Balancer.Key, h.Name)]) < drain.MinOthersUp)
                    return Failed(step, "TOO_FEW_IN_ROTATION");
                ready[(drain.Balancer.Key, step.Host)] = false;
                break;
            case UndrainStep undrain:
                ready[(undrain.Balancer.Key, step.Host)] = true;
                if (!host.Healthy) return Failed(step, "MEMBER_NOT_UP");
                break;
            case StopStep:
                if (host.Healthy && manifest.Balancers.Any(b => ready[(b.Key, step.Host)])) Violations.Add($"{step.Host} stopped while it had traffic");
                (host.Runs, host.Healthy) = (null, false);
                break;
            case StartStep start when host.Runs is not null && host.Runs != start.Release:
                return Failed(step, "SLOT_OCCUPIED");
            case StartStep start:
                if (host.Runs is null) (host.Runs, host.Healthy) = (start.Release, false);
                break;
            case AwaitHealthyStep await:
                if (host.Runs != await.Release) return Failed(step, "WRONG_RELEASE");
                host.Healthy = true;
                break;
        }

        Done.Add(step.Key);
        return new StepOutcome.Succeeded("done");
    }

    private static StepOutcome.Failed Failed(Step step, string reason) => new(
        new OperatorError(StatusCode.Aborted, reason, $"{step.Key}: {reason}", "do better").With("host", step.Host.Value), ["last line"]);

    private static OperatorError Gone(HostName host) => new(StatusCode.Unavailable, "AGENT_UNREACHABLE", $"{host}: connection refused");

    private sealed class SimulatedHost(ReleaseId? runs)
    {
        public ReleaseId? Runs { get; set; } = runs;

        public bool Healthy { get; set; } = runs is not null;

        public HashSet<ReleaseId> Staged { get; } = [];
    }
}
