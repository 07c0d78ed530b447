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
    private readonly Dictionary<MemberSeat, SimulatedMember> members = [];
    private readonly Dictionary<string, StepOutcome> journal = [];
    private readonly HashSet<string> broken = [];
    private readonly HashSet<AgentAddress> dead = [];

    public SimulatedFleet(DeploymentManifest manifest, Turns turns, ReleaseId before, Func<Step, OperationId, Fault> faults)
    {
        (this.manifest, this.turns, this.before, this.faults) = (manifest, turns, before, faults);
        hosts = manifest.Hosts.ToDictionary(h => h.Name, h => new SimulatedHost(h.Slot, before));
        foreach (var (balancer, host, slot) in from b in manifest.Balancers from h in manifest.Hosts from s in h.Slots select (b.Key, h, s))
            members[new MemberSeat(balancer, host.Name, slot.Name)] = new SimulatedMember { Ready = slot.Name == host.Slot.Name };
        FewestInRotation = InRotation;
        Kept = new SimulatedRecords(turns, dead.Contains);
    }

    /// <inheritdoc/>
    public IHostLeases Leases { get; } = new FreeLeases();

    /// <summary>What the agents keep.</summary>
    public SimulatedRecords Kept { get; }

    /// <inheritdoc/>
    public IHostRecords Records => Kept;

    /// <summary>What must never happen and did.</summary>
    public List<string> Violations { get; } = [];

    /// <summary>Steps that took effect, in order, by key.</summary>
    public List<string> Done { get; } = [];

    /// <summary>A good release from before the one that runs at first; null: there is none.</summary>
    public ReleaseId? Earlier { get; set; }

    /// <summary>Hosts that were served at every balancer, when they were fewest.</summary>
    public int FewestInRotation { get; private set; }

    /// <summary>What each instance of a release answers in each second that it is in rotation; null: 100 answers without an error in 10 ms.</summary>
    public Func<ReleaseId, (int Answers, int Errors, double Milliseconds)>? Answers { get; set; }

    public int InRotation => manifest.Hosts.Count(h => IsInRotation(h.Name));

    public IEnumerable<ReleaseId?> Running => manifest.Hosts.Select(h => RunningOn(h.Name));

    /// <summary>A healthy instance of the host has its member in at every balancer.</summary>
    public bool IsInRotation(HostName host) => Serving(host) is not null;

    /// <summary>What the host serves; when it serves nothing, what runs there.</summary>
    public ReleaseId? RunningOn(HostName host)
        => (Serving(host) ?? hosts[host].Instances.Values.OrderBy(i => i.Retiring).FirstOrDefault())?.Release;

    /// <summary>Instances of a host that neither serve nor are kept warm.</summary>
    public int LeftOver(HostName host) => hosts[host].Instances.Values.Count(i => !i.Retiring && i != Serving(host));

    /// <summary>Somebody stops what runs on a host, past every deployment.</summary>
    public void StopByHand(HostName host) => hosts[host].Instances.Clear();

    /// <summary>Somebody takes a host out at every balancer.</summary>
    public void TakeOut(HostName host)
    {
        foreach (var (_, member) in members.Where(m => m.Key.Host == host)) member.Ready = false;
    }

    /// <summary>A host's agent is gone.</summary>
    public void Kill(HostName host) => dead.Add(manifest.Hosts.Single(h => h.Name == host).Agent);

    /// <summary>Dead agents come back.</summary>
    public void Revive() => dead.Clear();

    public Task<HostObservation> ObserveAsync(ManifestHost host, AppName app, CancellationToken cancellation)
    {
        if (dead.Contains(host.Agent)) return Task.FromResult<HostObservation>(new HostObservation.Unreachable(Gone(host.Name)));
        var it = hosts[host.Name];
        var staged = new HashSet<ReleaseId>(it.Staged) { before };
        if (Earlier is not null) staged.Add(Earlier);
        return Task.FromResult<HostObservation>(new HostObservation.Seen(
            staged,
            RunningOn(host.Name) == before ? Earlier : before,
            [.. it.Instances.Select(i => new RunningInstance(i.Value.Release, i.Value.Healthy, i.Value.Slot, i.Value.Retiring))]));
    }

    public Task<BalancerObservation> ObserveAsync(ManifestBalancer balancer, ManifestHost host, CancellationToken cancellation)
    {
        if (dead.Contains(balancer.AgentOf(host))) return Task.FromResult<BalancerObservation>(new BalancerObservation.Unreachable(Gone(balancer.Key)));
        Answer();
        return Task.FromResult<BalancerObservation>(new BalancerObservation.Seen(
            (from h in manifest.Hosts from s in h.Slots select (h, s)).ToDictionary(
                i => balancer.MemberOf(i.h.Name, i.s.Name), i => Observed(new MemberSeat(balancer.Key, i.h.Name, i.s.Name))),
            CountsAnswers: Answers is not null));
    }

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
            Kept.Journal(step.Agent, operation, deployment, outcome);
            FewestInRotation = Math.Min(FewestInRotation, manifest.Hosts.Count(h => IsServedEverywhere(h.Name)));
        }

        if (fault == Fault.AgentDies) dead.Add(step.Agent);
        await turns.NextAsync(cancellation);
        if (fault == Fault.Interrupted && !operation.Value.Contains("/again-", StringComparison.Ordinal)) Kept.Journal(step.Agent, operation, deployment, outcome = journal[operation.Value] = Failed(step, "OPERATION_INTERRUPTED"));
        if (fault == Fault.FallsSilent) return Silent(step);
        return fault is Fault.Lost or Fault.AgentDies || (fault == Fault.BreaksAfter && first) ? new StepOutcome.Unknown(Gone(step.Host)) : outcome;
    }

    private StepOutcome Do(Step step)
    {
        if (step is SlotStep { At.Slot: var slot })
        {
            if (DoInSlot(step, hosts[step.Host], slot) is { } failed) return failed;
        }
        else if (DoElsewhere(step) is { } failed)
        {
            return failed;
        }

        Done.Add(step.Key);
        return new StepOutcome.Succeeded("done");
    }

    private StepOutcome.Failed? DoElsewhere(Step step)
    {
        switch (step)
        {
            case StageStep stage:
                hosts[step.Host].Staged.Add(stage.Release);
                break;
            case MigrateStep:
                if (Done.Any(d => d.EndsWith("/migrate", StringComparison.Ordinal))) Violations.Add("migrated twice");
                if (Done.Any(d => d.Contains("/drain", StringComparison.Ordinal) || d.EndsWith("/stop", StringComparison.Ordinal))) Violations.Add("migrated after a cutover began");
                break;
            case MigrateDownStep down:
                if (Done.Any(d => d.EndsWith("/migrate-down", StringComparison.Ordinal))) Violations.Add("migrated down twice");
                if (hosts.Values.SelectMany(h => h.Instances.Values).Any(i => i.Release == down.Release)) Violations.Add("migrated down under a release that runs");
                break;
            case DrainStep drain:
                var seat = drain.TakesOut.Single();
                if (IsUp(seat) && members.Count(m => m.Key.Balancer == seat.Balancer && m.Key != seat && IsUp(m.Key)) < drain.MinOthersUp) return Failed(step, "TOO_FEW_IN_ROTATION");
                members[seat].Ready = false;
                break;
            case UndrainStep undrain:
                members[undrain.PutsIn.Single()].Ready = true;
                members[undrain.PutsIn.Single()].Weight = undrain.Weight;
                if (!IsUp(undrain.PutsIn.Single())) return Failed(step, "MEMBER_NOT_UP");
                break;
            case MoveStep move:
                if (move.PutsIn.Any(s => !IsHealthy(s))) return Failed(step, "MEMBER_NOT_UP");
                foreach (var into in move.PutsIn) (members[into].Ready, members[into].Weight) = (true, 100);
                foreach (var outOf in move.TakesOut) members[outOf].Ready = false;
                break;
        }

        return null;
    }

    private StepOutcome.Failed? DoInSlot(Step step, SimulatedHost host, SlotSettings slot)
    {
        var there = host.Instances.GetValueOrDefault(slot.Name);
        switch (step)
        {
            case StopStep:
                if (there is { Healthy: true } && manifest.Balancers.Any(b => members[new MemberSeat(b.Key, step.Host, slot.Name)].Ready))
                    Violations.Add($"{step.Host} stopped while it had traffic");
                host.Instances.Remove(slot.Name);
                break;
            case RetireStep when there is not null:
                if (manifest.Balancers.Any(b => members[new MemberSeat(b.Key, step.Host, slot.Name)].Ready)) Violations.Add($"{step.Host} retired while it had traffic");
                there.Retiring = true;
                break;
            case KeepStep keep:
                host.Instances.TryAdd(slot.Name, new SimulatedInstance(keep.Running, slot));
                host.Instances[slot.Name].Retiring = false;
                break;
            case StartStep start when there is not null && there.Release != start.Release:
                return Failed(step, "SLOT_OCCUPIED");
            case StartStep start:
                if (manifest.Strategy.Kind == StrategyKind.Recreate && hosts.Values.SelectMany(h => h.Instances.Values).Any(i => i.Release != start.Release))
                    Violations.Add("two releases ran at once");
                host.Instances.TryAdd(slot.Name, new SimulatedInstance(start.Release, slot));
                host.Instances[slot.Name].Retiring = false;
                break;
            case AwaitHealthyStep await:
                if (there?.Release != await.Release) return Failed(step, "WRONG_RELEASE");
                there.Healthy = true;
                break;
        }

        return null;
    }

    private SimulatedInstance? Serving(HostName host) => hosts[host].Instances
        .Where(i => i.Value.Healthy && manifest.Balancers.All(b => members[new MemberSeat(b.Key, host, i.Key)].Ready))
        .Select(i => i.Value).FirstOrDefault();

    /// <summary>At every balancer some instance of the host is up: while traffic moves, not the same one at each.</summary>
    private bool IsServedEverywhere(HostName host) => manifest.Balancers.All(b => members.Keys.Any(s => s.Balancer == b.Key && s.Host == host && IsUp(s)));

    private bool IsHealthy(MemberSeat seat) => hosts[seat.Host].Instances.GetValueOrDefault(seat.Slot) is { Healthy: true };

    private bool IsUp(MemberSeat seat) => members[seat].Ready && IsHealthy(seat);

    private ObservedMember Observed(MemberSeat seat)
    {
        var member = members[seat];
        return new ObservedMember(
            !member.Ready ? MemberStanding.Draining : IsHealthy(seat) ? MemberStanding.Ready : MemberStanding.Down,
            "",
            member.Weight,
            member.Answers,
            member.Errors,
            member.Milliseconds);
    }

    /// <summary>Lets every member that is up answer for the time since it was last looked at.</summary>
    private void Answer()
    {
        if (Answers is null) return;
        foreach (var (seat, member) in members.Where(m => IsUp(m.Key)))
        {
            var (answers, errors, milliseconds) = Answers(hosts[seat.Host].Instances[seat.Slot].Release);
            member.Answers += answers;
            member.Errors += errors;
            member.Milliseconds = milliseconds;
        }
    }

    private static StepOutcome.Failed Failed(Step step, string reason) => new(
        new OperatorError(StatusCode.Aborted, reason, $"{step.Key}: {reason}", "do better").With("host", step.Host.Value), ["last line"]);

    private static StepOutcome.Failed Silent(Step step) => new(
        new OperatorError(StatusCode.Unavailable, "BALANCER_UNREACHABLE", $"{step.Key}: it does not answer").With("state", "unknown"), []);

    private static OperatorError Gone(HostName host) => new(StatusCode.Unavailable, "AGENT_UNREACHABLE", $"{host}: connection refused");

    private sealed class SimulatedHost(SlotSettings slot, ReleaseId runs)
    {
        public Dictionary<SlotName, SimulatedInstance> Instances { get; } = new() { [slot.Name] = new SimulatedInstance(runs, slot) { Healthy = true } };

        public HashSet<ReleaseId> Staged { get; } = [];
    }

    private sealed class SimulatedInstance(ReleaseId release, SlotSettings slot)
    {
        public ReleaseId Release => release;

        public SlotSettings Slot => slot;

        public bool Healthy { get; set; }

        public bool Retiring { get; set; }
    }

    private sealed class SimulatedMember
    {
        public bool Ready { get; set; }

        public int Weight { get; set; } = 100;

        public long Answers { get; set; }

        public long Errors { get; set; }

        public double Milliseconds { get; set; }
    }
}
