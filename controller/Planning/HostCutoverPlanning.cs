using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>
/// Decides how one host gets from what is seen to what is wanted. By state, not by history: a cutover that was left half way is planned like any other.
/// Replace: drain, stop, start in the same slot, put back. Switch: start in the other slot, move the traffic, drain the old one and keep
/// it warm. Knows nothing of waves.
/// </summary>
internal sealed class HostCutoverPlanning(DeploymentManifest manifest, FleetObservation fleet, HostView view)
{
    private readonly DeploymentStrategy strategy = manifest.Strategy;

    /// <summary>The steps.</summary>
    /// <param name="target">The slot in which the release is to run.</param>
    /// <param name="release">The release; null: nothing is to run.</param>
    /// <param name="minOthersUp">Other members that must be up before what serves is drained.</param>
    /// <param name="isRollback">It undoes something: what it takes out is stopped and not kept warm.</param>
    public CutoverSteps Make(SlotSettings target, ReleaseId? release, int minOthersUp, bool isRollback)
    {
        if (release is null) return Empty(target, minOthersUp, isRollback);
        var there = view.In(target.Name);
        var isReady = there is { Healthy: true } && there.Release == release
            && SlotDifference.Between(manifest.App, there.Slot, target).Count == 0;
        return isReady ? GiveTraffic(there!, isRollback ? release : null)
            : IsBeside(target) ? Beside(target, release, there, isRollback ? release : null)
            : InPlace(target, release, minOthersUp, isRollback);
    }

    /// <summary>Whether old and new can run at once: in slots of their own, with ports and node names of their own.</summary>
    public bool IsBeside(SlotSettings target)
        => view.Active is { Slot: var serving } && strategy.Kind != StrategyKind.Recreate && !Clash(serving, target);

    /// <summary>The steps of a host that is no longer in the manifest.</summary>
    /// <param name="isReachable">Its agent answers; otherwise only the balancers are seen to.</param>
    public IReadOnlyList<Step> Leave(bool isReachable)
    {
        var slots = view.Host.Slots.Concat(view.Instances.Select(i => i.Slot)).DistinctBy(s => s.Name).ToList();
        return
        [
            .. slots.SelectMany(s => Drain(s, 0)),
            .. isReachable ? view.Instances.Select(i => Stop(i.Slot, i.Release)) : [],
            .. slots.SelectMany(Remove),
        ];
    }

    private CutoverSteps Empty(SlotSettings target, int minOthersUp, bool isRollback)
    {
        var others = view.Instances.Where(i => i.Slot.Name != target.Name).ToList();
        return new CutoverSteps(
            [
                .. Drain(target, minOthersUp, isFinal: true),
                .. others.SelectMany(o => Drain(o.Slot, minOthersUp, isFinal: true)),
                Stop(target, view.In(target.Name)?.Release, isRollback),
                .. others.Select(o => Stop(o.Slot, o.Release, isRollback)),
            ],
            [],
            [],
            IsBeside: false);
    }

    private CutoverSteps InPlace(SlotSettings target, ReleaseId release, int minOthersUp, bool isRollback)
    {
        var there = view.In(target.Name);
        // What is kept warm elsewhere would hold the port, the node name, or run beside what must run alone.
        var others = view.Instances.Where(i => i.Slot.Name != target.Name).ToList();
        return new CutoverSteps(
            [
                .. Drain(target, there is null ? 0 : minOthersUp),
                .. others.SelectMany(o => Drain(o.Slot, minOthersUp)),
                // After a failure an instance may be about to be started again without being seen; stopping nothing does no harm.
                .. there is null && !isRollback ? [] : new[] { Stop(target, there?.Release, isRollback && there?.Release != release) },
                .. others.Select(o => Stop(o.Slot, o.Release, isRollback && o.Release != release)),
                .. Start(target, release),
            ],
            [.. Undrain(target)],
            [.. others.Where(o => !IsOfManifest(o.Slot)).SelectMany(o => Remove(o.Slot))],
            IsBeside: false);
    }

    private CutoverSteps Beside(SlotSettings target, ReleaseId release, RunningInstance? there, ReleaseId? backTo)
    {
        var old = view.Active!;
        return new CutoverSteps(
            [
                .. MoveBack(there, old),
                // Its member may be in rotation with nobody behind it: it must not be found up before the new instance has proved itself.
                .. Drain(target, 0),
                .. there is null ? [] : new[] { Stop(target, there.Release) },
                .. Start(target, release),
            ],
            [.. Move(target, old.Slot)],
            [.. SeeOff(old, backTo), .. SeeOffOthers(target, old, backTo)],
            IsBeside: true);
    }

    /// <summary>What is wanted runs already, healthy: it is given the traffic, and nothing is stopped before that.</summary>
    private CutoverSteps GiveTraffic(RunningInstance there, ReleaseId? backTo)
    {
        var old = view.Active == there ? null : view.Active;
        var at = view.Host.In(there.Slot);
        // One that is kept warm has served before.
        var proof = there.Retiring ? TimeSpan.Zero : strategy.MinHealthy;
        return new CutoverSteps(
            [
                .. there.Retiring ? new Step[] { new KeepStep(at, manifest.App, there.Release, manifest.Health) } : [],
                new AwaitHealthyStep(at, manifest.App, there.Release, manifest.Health, strategy.HealthyDeadline, proof),
            ],
            [.. old is null ? Undrain(there.Slot) : Move(there.Slot, old.Slot)],
            [.. old is null ? [] : SeeOff(old, backTo), .. SeeOffOthers(there.Slot, old, backTo)],
            IsBeside: true);
    }

    /// <param name="old">What has no traffic any more.</param>
    /// <param name="backTo">The release that a rollback goes to; null: it is none, and what goes is kept warm.</param>
    private IEnumerable<Step> SeeOff(RunningInstance old, ReleaseId? backTo)
    {
        foreach (var drain in Drain(old.Slot, 0)) yield return drain;
        yield return backTo is not null || strategy.Kind == StrategyKind.Recreate
            ? Stop(old.Slot, old.Release, goneBackFrom: backTo is not null && old.Release != backTo)
            : new RetireStep(view.Host.In(old.Slot), manifest.App, old.Release, strategy.KeepOld, strategy.StopTimeout, strategy.TermTimeout);
        if (IsOfManifest(old.Slot)) yield break;
        foreach (var remove in Remove(old.Slot)) yield return remove;
    }

    /// <summary>Instances that a deployment left running, neither the new nor the old one. Those that are kept warm end by themselves.</summary>
    private IEnumerable<Step> SeeOffOthers(SlotSettings target, RunningInstance? old, ReleaseId? backTo)
        => view.Instances.Where(i => i.Slot.Name != target.Name && i != old && !i.Retiring).SelectMany(i => SeeOff(i, backTo));

    /// <summary>A balancer that each host has knows that host's instances alone: the other hosts are no members of it that could be up.</summary>
    private IEnumerable<Step> Drain(SlotSettings slot, int minOthersUp, bool isFinal = false) => manifest.Balancers
        .Where(b => HasMember(b, slot))
        .Select(b => new DrainStep(b, view.Host.In(slot), manifest.App, strategy.DrainTimeout, b.Agent is null ? 0 : minOthersUp, strategy.LongLived)
        {
            IsFinal = isFinal,
        });

    private IEnumerable<Step> Undrain(SlotSettings slot)
        => manifest.Balancers.Select(b => new UndrainStep(b, view.Host.In(slot), manifest.App, strategy.UndrainTimeout, AddressAt(b, slot)));

    private IEnumerable<Step> Move(SlotSettings into, SlotSettings outOf) => manifest.Balancers.Select(b => HasMember(b, outOf)
        ? (Step)new MoveStep(b, [new HostMove(view.Host.In(into), outOf, AddressAt(b, into))], manifest.App, strategy.UndrainTimeout)
        : new UndrainStep(b, view.Host.In(into), manifest.App, strategy.UndrainTimeout, AddressAt(b, into)));

    /// <summary>
    /// Where an earlier move succeeded at some balancers only, what is to be replaced is all that they send to: it gives its traffic back before it is
    /// drained.
    /// </summary>
    private IEnumerable<Step> MoveBack(RunningInstance? there, RunningInstance old) => there is not { Healthy: true } || !old.Healthy ? [] : manifest.Balancers
        .Where(b => IsIn(b, there.Slot) && !IsIn(b, old.Slot))
        .Select(b => new MoveStep(b, [new HostMove(view.Host.In(old.Slot), there.Slot, AddressAt(b, old.Slot))], manifest.App, strategy.UndrainTimeout));

    private IEnumerable<Step> Remove(SlotSettings slot) => manifest.Balancers
        .Where(b => fleet.IsManaged(b, view.Host.Name) && HasMember(b, slot))
        .Select(b => new RemoveMemberStep(b, view.Host.In(slot), manifest.App));

    private StopStep Stop(SlotSettings slot, ReleaseId? running, bool goneBackFrom = false)
        => new(view.Host.In(slot), manifest.App, running, strategy.StopTimeout, strategy.TermTimeout, goneBackFrom && running is not null);

    private IEnumerable<Step> Start(SlotSettings slot, ReleaseId release) =>
    [
        new StartStep(view.Host.In(slot), manifest.App, release, manifest.Health),
        new AwaitHealthyStep(view.Host.In(slot), manifest.App, release, manifest.Health, strategy.HealthyDeadline, strategy.MinHealthy),
    ];

    /// <summary>The balancer has the slot's member, or it is not known and so must be reckoned with.</summary>
    private bool HasMember(ManifestBalancer balancer, SlotSettings slot)
        => fleet.Of(balancer, view.Host.Name) is not BalancerObservation.Seen || fleet.MemberOf(balancer, view.Host.Name, slot.Name) is not null;

    private bool IsIn(ManifestBalancer balancer, SlotSettings slot) => fleet.MemberOf(balancer, view.Host.Name, slot.Name) is { IsOut: false };

    private MemberAddress? AddressAt(ManifestBalancer balancer, SlotSettings slot)
        => fleet.IsManaged(balancer, view.Host.Name) ? MemberAddress.Parse(
            $"{(view.Host.Address.Contains(':', StringComparison.Ordinal) ? $"[{view.Host.Address}]" : view.Host.Address)}:{slot.Port}") : null;

    private bool IsOfManifest(SlotSettings slot) => view.Host.Slots.Any(s => s.Name == slot.Name);

    private bool Clash(SlotSettings one, SlotSettings other)
        => one.Name == other.Name || one.Port == other.Port
            || (one.Distribution && other.Distribution && SlotDifference.NodeOf(manifest.App, one) == SlotDifference.NodeOf(manifest.App, other));
}
