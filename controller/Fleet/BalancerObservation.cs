using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Fleet;

/// <summary>What an agent says of one balancer's backend.</summary>
public abstract record BalancerObservation
{
    private BalancerObservation()
    {
    }

    /// <summary>The agent or its balancer did not answer, or the backend is not there.</summary>
    /// <param name="Error">Why.</param>
    public sealed record Unreachable(OperatorError Error) : BalancerObservation;

    /// <summary>The balancer answered.</summary>
    /// <param name="Members">Each member as it is now.</param>
    /// <param name="Managed">The agent makes members that are missing and changes their addresses.</param>
    /// <param name="CountsAnswers">Answers, errors and response times are real: a canary can be judged by them.</param>
    public sealed record Seen(IReadOnlyDictionary<MemberName, ObservedMember> Members, bool Managed = false, bool CountsAnswers = false)
        : BalancerObservation;
}

/// <summary>A member as its balancer sees it.</summary>
/// <param name="Standing">Whether it takes new requests.</param>
/// <param name="Address">host:port that the balancer sends to; empty when it does not say.</param>
/// <param name="Weight">Share of the traffic in hundredths of a full member's.</param>
/// <param name="Answers">Answers since the balancer's start.</param>
/// <param name="Errors">Of them: 5xx.</param>
/// <param name="ResponseTimeMs">Average time to answer of the latest requests; 0 when it is not measured.</param>
/// <param name="ResponseTimeWindow">In that average each answer counts one part in so many, the first ones all the same; 0 when that is not known.</param>
public sealed record ObservedMember(
    MemberStanding Standing, string Address = "", int Weight = 100, long Answers = 0, long Errors = 0, double ResponseTimeMs = 0, int ResponseTimeWindow = 0)
{
    /// <summary>Somebody took it out: it takes no new requests.</summary>
    public bool IsOut => Standing is MemberStanding.Draining or MemberStanding.Maintenance;
}

/// <summary>Where a member stands at its balancer.</summary>
public enum MemberStanding
{
    /// <summary>Takes new requests.</summary>
    Ready,

    /// <summary>Takes no new requests.</summary>
    Draining,

    /// <summary>Taken out.</summary>
    Maintenance,

    /// <summary>Meant to be ready, but the balancer's own check fails.</summary>
    Down,
}
