using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>What a repair would do, and what no plan mends.</summary>
/// <param name="Plan">By the plan; empty when there is nothing that a plan mends.</param>
/// <param name="Left">Not by the plan: each with what to do instead.</param>
internal sealed record RepairProposal(Plan Plan, IReadOnlyList<Finding> Left);

/// <summary>
/// Plans how a fleet becomes what it should be: what should run is started, what should have traffic is put back, hosts come to the release
/// that they should run, and leftovers are retired. By what is seen, like a deployment, and by the same steps. Hosts that only gain come first; one that
/// serves is taken out only while <c>min_in_rotation</c> others are in rotation. No migration is run. Pure.
/// </summary>
internal sealed class RepairPlanning
{
    private readonly DeploymentManifest manifest;
    private readonly FleetObservation fleet;
    private readonly KnownDeployment known;
    private readonly RepairSupplies supplies;
    private readonly IReadOnlyList<Finding> findings;
    private readonly Intended intended;
    private readonly List<Finding> left;

    private RepairPlanning(DeploymentManifest manifest, FleetObservation fleet, KnownDeployment known, RepairSupplies supplies)
    {
        (this.manifest, this.fleet, this.known, this.supplies) = (manifest, fleet, known, supplies);
        findings = Drift.Find(manifest, fleet, known, supplies.Now);
        intended = Intended.Of(manifest, fleet, known);
        left = [.. findings.Where(f => !f.IsByPlan)];
    }

    /// <summary>Makes the proposal.</summary>
    public static RepairProposal Make(DeploymentManifest manifest, FleetObservation fleet, KnownDeployment known, RepairSupplies supplies)
        => new RepairPlanning(manifest, fleet, known, supplies).Make();

    private RepairProposal Make()
    {
        var untouched = new List<UntouchedHost>();
        var mends = new List<HostMend>();
        foreach (var host in manifest.Hosts)
        {
            var own = findings.Where(f => f.Host == host.Name && f.IsByPlan).ToList();
            if (supplies.Only is { } only && !only.Contains(host.Name)) untouched.Add(new UntouchedHost(host.Name, "is no part of this repair", IsThere: false));
            else if (WhyNot(host, own) is { } why) Leave(host, own, why, untouched);
            else if (own.Count == 0) untouched.Add(new UntouchedHost(host.Name, "is as it should be"));
            else mends.Add(Mend(host, own));
        }

        var planning = new WavePlanning(manifest, fleet, isRollback: false, []);
        var changes = mends.Select(m => m.Change).ToList();
        var waves = planning.GainsFirst([.. changes.Where(c => !TakesAway(c))], [.. changes.Where(TakesAway)]);
        foreach (var refused in planning.Refused)
        {
            Leave(refused.View.Host, mends.Single(m => m.Change == refused).Findings, PlanRefusals.TooFewInRotation(refused.Name, manifest).Error.WhatNext, untouched);
            mends.RemoveAll(m => m.Change == refused);
        }

        waves = [.. waves.Select(w => w with { Hosts = [.. w.Hosts.Select(AtOnce)] })];
        var releases = mends.Select(m => m.Change.To).Distinct().ToList();
        return new RepairProposal(
            new Plan(manifest.App, PlanIntent.Repair, releases is [var one] ? one : null, Preparation(waves), waves, [], untouched), left);

        bool TakesAway(HostChange change) => change.Serves && !planning.StepsOf(change, 0).IsBeside;
    }

    /// <summary>Why nothing is planned for a host that has something to mend; null: it is planned.</summary>
    private string? WhyNot(ManifestHost host, List<Finding> own)
    {
        if (fleet.Hosts.GetValueOrDefault(host.Name) is not HostObservation.Seen seen) return "its agent does not answer";
        if (own.Count == 0) return null;
        if (known.Unfinished is { } unfinished) return unfinished.Mend;
        if (seen.ReadOnly is { } readOnly) return readOnly.WhatNext;
        foreach (var finding in findings.Where(f => f.Host == host.Name && f.Kind is FindingKind.MemberMissing)) return finding.Mend;
        foreach (var balancer in manifest.Balancers)
        {
            if (fleet.Of(balancer, host.Name) is BalancerObservation.Unreachable) return $"balancer {BalancerSeat.Of(balancer, host.Name)} has to answer first";
        }

        var wanted = intended.On(host.Name)!;
        return seen.Staged.Contains(wanted) || wanted == supplies.Archive
            ? null
            : $"decant deploy with the archive of {wanted}, and --hosts {host.Name}: it is not on the host, and its archive is not where it was";
    }

    private void Leave(ManifestHost host, IReadOnlyList<Finding> own, string instead, List<UntouchedHost> untouched)
    {
        untouched.Add(new UntouchedHost(host.Name, own.Count == 0 ? "does not answer" : "cannot be mended by a plan", IsThere: false));
        left.AddRange(own.Select(f => f with { Mend = instead }));
    }

    private HostMend Mend(ManifestHost host, List<Finding> own)
    {
        var seen = (HostObservation.Seen)fleet.Hosts[host.Name];
        var wanted = intended.On(host.Name)!;
        var late = own.Where(f => f.Kind == FindingKind.KeptTooLong).Select(f => f.Slot).ToHashSet();
        // What is warm for too long is a leftover like any other, unless it is what is wanted.
        IReadOnlyList<RunningInstance> instances =
            [.. seen.Instances.Select(i => late.Contains(i.Slot.Name) && i.Release != wanted ? i with { Retiring = false } : i)];
        var view = HostView.Of(manifest, fleet, host, instances, wanted);
        var why = string.Join("; ", own.Select(f => f.Kind == FindingKind.Stopped ? $"{f.Is}: it is started because you ask for it" : f.Is));
        return new HostMend(new HostChange(view, TargetOf(host, view, seen, wanted), wanted, why), own);
    }

    /// <summary>What was stopped is started where it ran.</summary>
    private static SlotSettings TargetOf(ManifestHost host, HostView view, HostObservation.Seen seen, ReleaseId wanted)
        => view.Active is null && host.Slots.FirstOrDefault(s => seen.Slots.Any(o => o.Name == s.Name && o.Release == wanted)) is { } before
            ? before
            : view.TargetFor(wanted);

    /// <summary>What was left running has had its time: only what this repair takes the traffic from is kept warm.</summary>
    private HostCutover AtOnce(HostCutover cutover)
    {
        var moved = cutover.Steps.OfType<MoveStep>().SelectMany(m => m.Moves).Select(m => m.OutOf.Name).ToHashSet();
        return cutover with
        {
            Steps = [.. cutover.Steps.Select(s => s is RetireStep retire && !(moved.Contains(retire.At.Slot.Name) && retire.Running != cutover.To) ? retire with { Keep = TimeSpan.Zero } : s)],
        };
    }

    private List<PlanPhase> Preparation(IReadOnlyList<Wave> waves)
    {
        var starts = waves.SelectMany(w => w.Hosts).SelectMany(h => h.Steps).OfType<StartStep>().ToList();
        if (starts.Count == 0) return [];
        var missing = starts.Where(s => fleet.Hosts[s.Host] is HostObservation.Seen seen && !seen.Staged.Contains(s.Release)).ToList();
        return
        [
            .. missing.Count == 0 ? [] : new[] { new PlanPhase("stage", [.. missing.Select(s => new StageStep(s.At, s.App, s.Release))]) },
            new PlanPhase("preflight", [.. starts.Select(s => new PreflightStep(s.At, s.App, s.Release, IsFreed(s)))]),
        ];
    }

    private bool IsFreed(StartStep start)
        => ((HostObservation.Seen)fleet.Hosts[start.Host]).Instances.Any(i => i.Slot.Name != start.At.Slot.Name && i.Slot.Port == start.At.Slot.Port);

    private sealed record HostMend(HostChange Change, IReadOnlyList<Finding> Findings);
}

/// <summary>What a repair has at hand.</summary>
/// <param name="Now">For what is kept for a while.</param>
/// <param name="Archive">The release whose archive can be sent; null: none.</param>
/// <param name="Only">These hosts alone; null: all of the manifest.</param>
internal sealed record RepairSupplies(DateTimeOffset Now, ReleaseId? Archive = null, IReadOnlySet<HostName>? Only = null);
