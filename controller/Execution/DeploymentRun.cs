using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>What the executor walks.</summary>
/// <param name="Id">The deployment.</param>
/// <param name="Attempt">1, or more when it is resumed.</param>
/// <param name="Manifest">The manifest.</param>
/// <param name="Plan">What to do.</param>
/// <param name="RollingBack">An earlier attempt spent the failure budget: the rollback goes on and the plan is left.</param>
/// <param name="Before">What each host ran before the first attempt.</param>
/// <param name="Earlier">Hosts that an earlier attempt touched, in that order, and what they run now.</param>
internal sealed record DeploymentRun(
    DeploymentId Id,
    int Attempt,
    DeploymentManifest Manifest,
    Plan Plan,
    bool RollingBack,
    IReadOnlyDictionary<HostName, PlannedCutover> Before,
    IReadOnlyList<TouchedEarlier> Earlier);

/// <summary>A host that an earlier attempt of the same deployment touched.</summary>
/// <param name="Host">The host.</param>
/// <param name="Instances">What runs on it now.</param>
/// <param name="Out">Its members that are out, as this deployment left them.</param>
internal sealed record TouchedEarlier(HostName Host, IReadOnlyList<RunningInstance> Instances, IReadOnlyList<MemberSeat> Out);

/// <summary>What the executor works with.</summary>
/// <param name="Fleet">Agents, or a simulation.</param>
/// <param name="Journal">Where every step is written down.</param>
/// <param name="Time">Clock and timers.</param>
/// <param name="Options">What happens when an agent cannot be reached.</param>
/// <param name="Events">Gets the events.</param>
/// <param name="Lease">The right to change the app; without it nothing is begun.</param>
/// <param name="Record">The deployment's record, here and at the agents.</param>
internal sealed record ExecutorParts(
    IFleet Fleet,
    DeploymentJournal Journal,
    TimeProvider Time,
    ExecutorOptions Options,
    EventStream Events,
    LeaseKeeper Lease,
    SharedRecord Record);
