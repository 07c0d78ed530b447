using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>What a deployment will do, decided from manifest, observed fleet and release before anything is touched.</summary>
/// <param name="App">The app.</param>
/// <param name="Intent">Why it is done.</param>
/// <param name="Release">The release that is to run; null for a rollback in which hosts go to different ones.</param>
/// <param name="Preparation">Done on all hosts at once, kind by kind in this order, while the old release serves: stage, preflight, migrate.</param>
/// <param name="Waves">Cut over one after the other; the hosts of one wave together.</param>
/// <param name="Completion">Done at the end, all at once: prune.</param>
/// <param name="Untouched">Hosts that are left as they are, each with the reason.</param>
public sealed record Plan(
    AppName App,
    PlanIntent Intent,
    ReleaseId? Release,
    IReadOnlyList<PlanPhase> Preparation,
    IReadOnlyList<Wave> Waves,
    IReadOnlyList<Step> Completion,
    IReadOnlyList<UntouchedHost> Untouched)
{
    /// <summary>Done after the last wave, kind by kind, when every host got there; what fails here makes the deployment fail.</summary>
    public IReadOnlyList<PlanPhase> Afterwards { get; init; } = [];

    /// <summary>What somebody who reads the plan has to know beside its steps; null: nothing.</summary>
    public string? Remark { get; init; }

    /// <summary>Nothing has to be done.</summary>
    public bool IsEmpty => Waves.Count == 0;
}

/// <summary>Why a plan is made.</summary>
public enum PlanIntent
{
    /// <summary>A release is deployed.</summary>
    Deploy,

    /// <summary>Hosts go back to what they ran before.</summary>
    Rollback,

    /// <summary>What is not as it should be is made so.</summary>
    Repair,
}

/// <summary>Steps that run together and must all succeed before what follows.</summary>
/// <param name="Name">For people: <c>stage</c>, <c>preflight</c>, <c>migrate</c>.</param>
/// <param name="Steps">One for each host concerned.</param>
public sealed record PlanPhase(string Name, IReadOnlyList<Step> Steps);

/// <summary>Hosts that are cut over together.</summary>
/// <param name="Number">1, 2, 3, …</param>
/// <param name="Hosts">Each with its steps.</param>
public sealed record Wave(int Number, IReadOnlyList<HostCutover> Hosts)
{
    /// <summary>Traffic of several hosts that moves together, before the steps of the single hosts; one for each balancer.</summary>
    public IReadOnlyList<MoveStep> Moves { get; init; } = [];

    /// <summary>Hosts outside of it that must serve while it is cut over; without one that failed before, within the budget, they may be too few.</summary>
    public IReadOnlyList<HostName> Others { get; init; } = [];

    /// <summary>How many of <see cref="Others"/> must serve, by <c>min_in_rotation</c>; 0 when the wave takes nothing away.</summary>
    public int MinOthers { get; init; }

    /// <summary>A host that fails in it ends the deployment whatever the failure budget: the next wave must not begin while something is left of it.</summary>
    public bool MustSucceed { get; init; }

    /// <summary>What must hold before the next wave; null: nothing.</summary>
    public CanaryGate? Gate { get; init; }
}

/// <summary>Canaries are watched before the deployment goes on.</summary>
/// <param name="Canaries">Hosts with their slots in which the new release runs.</param>
/// <param name="Policy">How long, and what is too bad.</param>
public sealed record CanaryGate(IReadOnlyList<ManifestHost> Canaries, CanaryPolicy Policy);

/// <summary>
/// How one host gets from old to new: its steps run one after the other. A host whose steps fall into several waves is done with the last one.
/// </summary>
/// <param name="Host">The host.</param>
/// <param name="From">What it runs now; null when nothing does.</param>
/// <param name="To">What it will run; null when the rollback of a first deployment leaves it empty.</param>
/// <param name="Why">Why it is in this wave, for people.</param>
/// <param name="Steps">In order.</param>
public sealed record HostCutover(HostName Host, ReleaseId? From, ReleaseId? To, string Why, IReadOnlyList<Step> Steps);

/// <summary>A host that the plan leaves alone.</summary>
/// <param name="Host">The host.</param>
/// <param name="Why">For people: <c>runs 1.2.0 already</c>.</param>
/// <param name="IsThere">It runs what the plan brings the others to.</param>
public sealed record UntouchedHost(HostName Host, string Why, bool IsThere = true);
