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
    /// <param name="Members">Where each member stands.</param>
    /// <param name="Report">The rest of the answer, for display.</param>
    public sealed record Seen(IReadOnlyDictionary<MemberName, MemberStanding> Members, Decant.V1.Backend? Report) : BalancerObservation;
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
