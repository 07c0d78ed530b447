using Decant.Controller.Fleet;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>Something that is not as it should be.</summary>
/// <param name="Kind">What kind of thing.</param>
/// <param name="Host">Where: a host, or a balancer's key; null: it is about the deployment as a whole.</param>
/// <param name="Slot">In which slot; null: it is about the whole host.</param>
/// <param name="Is">What is, for people.</param>
/// <param name="ShouldBe">What should be, for people.</param>
/// <param name="Mend">The command that mends it, or, where none of Decant's does, what to do.</param>
internal sealed record Finding(FindingKind Kind, HostName? Host, SlotName? Slot, string Is, string ShouldBe, string Mend)
{
    /// <summary>A plan can mend it: <c>decant repair</c> proposes one.</summary>
    public bool IsByPlan => Kind is FindingKind.OtherRelease or FindingKind.Stopped or FindingKind.Empty or FindingKind.Died or FindingKind.NotHealthy
        or FindingKind.OtherSettings or FindingKind.OutOfRotation or FindingKind.Weight or FindingKind.LeftRunning or FindingKind.KeptTooLong;
}

/// <summary>What is not as it should be.</summary>
internal enum FindingKind
{
    /// <summary>The host's agent does not answer.</summary>
    Unreachable,

    /// <summary>The host's agent answers, and refuses.</summary>
    AgentRefuses,

    /// <summary>The host's agent tells what is there and changes nothing.</summary>
    ReadOnly,

    /// <summary>The balancer, or its agent, does not answer.</summary>
    BalancerUnreachable,

    /// <summary>A deployment runs, or did not come to its end.</summary>
    HalfFinished,

    /// <summary>Most hosts run another release than the last deployment that is known here made them run.</summary>
    DeployedElsewhere,

    /// <summary>A host runs another release than it should.</summary>
    OtherRelease,

    /// <summary>An instance is stopped, and no deployment that is known here left it so.</summary>
    Stopped,

    /// <summary>Nothing runs, and nothing is known of anything that ran.</summary>
    Empty,

    /// <summary>An instance died, and its agent starts it again and again.</summary>
    Died,

    /// <summary>An instance runs and does not do.</summary>
    NotHealthy,

    /// <summary>An instance runs with other settings than the manifest's.</summary>
    OtherSettings,

    /// <summary>An instance that should have traffic was taken out at a balancer.</summary>
    OutOfRotation,

    /// <summary>An instance has less than its share of the traffic.</summary>
    Weight,

    /// <summary>A balancer itself calls a healthy instance's member down.</summary>
    Down,

    /// <summary>A balancer has no member for what serves.</summary>
    MemberMissing,

    /// <summary>A balancer sends to a member that is none of this app's instances.</summary>
    UnexpectedMember,

    /// <summary>An instance runs beside the one that serves, and nothing is going to stop it.</summary>
    LeftRunning,

    /// <summary>An old instance is still warm when it should be gone.</summary>
    KeptTooLong,
}
