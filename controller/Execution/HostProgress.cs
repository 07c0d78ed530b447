using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>How far a deployment has got with a host.</summary>
internal enum HostStage
{
    /// <summary>Nothing of what serves there was touched.</summary>
    NotBegun,

    /// <summary>It was touched, and neither serves what it was to serve nor, as far as is written, what it served before.</summary>
    HalfWay,

    /// <summary>It serves what it was to serve, at every balancer.</summary>
    CutOver,

    /// <summary>It is on its way back.</summary>
    HalfWayBack,

    /// <summary>It serves again what it served before.</summary>
    Back,
}

/// <summary>How far a deployment has got with a host, by the journal: what is true on the host is looked at when the deployment goes on. Pure.</summary>
/// <param name="Cutover">The host, what it ran before, and what it was to run.</param>
/// <param name="Stage">How far.</param>
/// <param name="Last">Its last step; null when none was begun.</param>
/// <param name="Out">Balancers that send it nothing.</param>
internal sealed record HostProgress(PlannedCutover Cutover, HostStage Stage, StepRecord? Last, IReadOnlyList<HostName> Out)
{
    /// <summary>Each host that the deployment was to change, in the order of its plan.</summary>
    public static IReadOnlyList<HostProgress> Of(DeploymentRecord record, IReadOnlyList<StepRecord> steps, DeploymentManifest manifest)
        => [.. record.Cutovers.Select(c => Of(c, steps, manifest))];

    private static HostProgress Of(PlannedCutover cutover, IReadOnlyList<StepRecord> steps, DeploymentManifest manifest)
    {
        var own = steps.Where(s => EarlierAttempts.IsCutover(s.Verb) && s.Hosts.Contains(cutover.Host)).ToList();
        if (own.Count == 0) return new HostProgress(cutover, HostStage.NotBegun, null, []);
        var isBack = own.Any(s => s.IsRollback);
        var way = own.Where(s => s.IsRollback == isBack).ToList();
        var served = manifest.Balancers.ToDictionary(b => b.Key, b => SlotsIn(b.Key, cutover, own));
        var arrived = way[^1].End is { Succeeded: true } && (isBack ? IsBack(cutover, way, served) : HasArrived(cutover, way, served));
        return new HostProgress(cutover, (isBack, arrived) switch
        {
            (false, false) => HostStage.HalfWay,
            (false, true) => HostStage.CutOver,
            (true, false) => HostStage.HalfWayBack,
            (true, true) => HostStage.Back,
        }, way[^1], [.. served.Where(s => s.Value.Count == 0).Select(s => s.Key)]);
    }

    /// <summary>Slots of the host that a balancer sends to, as far as it is written.</summary>
    private static HashSet<SlotName> SlotsIn(HostName balancer, PlannedCutover cutover, List<StepRecord> own)
    {
        var slots = new HashSet<SlotName>();
        if (cutover.Slot is { } before) slots.Add(before.Name);
        foreach (var step in own)
        {
            if (step.End is not { ChangedNothing: true }) slots.ExceptWith(step.TakesOut.Where(IsHere).Select(s => s.Slot));
            if (step.End is { Succeeded: true }) slots.UnionWith(step.PutsIn.Where(IsHere).Select(s => s.Slot));
        }

        return slots;

        bool IsHere(MemberSeat seat) => seat.Balancer == balancer && seat.Host == cutover.Host;
    }

    private static bool HasArrived(PlannedCutover cutover, List<StepRecord> way, Dictionary<HostName, HashSet<SlotName>> served) => cutover.To is null
        ? way.Any(s => s is { Verb: "stop", End.Succeeded: true })
        : served.Count == 0
            ? way.Any(s => s is { Verb: "await-healthy", End.Succeeded: true })
            : served.All(b => b.Value.Count > 0 && way.Any(s => s.End is { Succeeded: true } && s.PutsIn.Any(seat => seat.Host == cutover.Host && seat.Balancer == b.Key)));

    private static bool IsBack(PlannedCutover cutover, List<StepRecord> way, Dictionary<HostName, HashSet<SlotName>> served) => cutover.Slot is not { } slot
        ? way.Any(s => s is { Verb: "stop", End.Succeeded: true })
        : served.Count == 0
            ? way.Any(s => s is { Verb: "await-healthy" or "keep", End.Succeeded: true })
            : served.Values.All(slots => slots.SetEquals([slot.Name]));
}
