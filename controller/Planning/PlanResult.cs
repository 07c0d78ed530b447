using Decant.Controller.Fleet;
using Decant.Errors;

namespace Decant.Controller.Planning;

/// <summary>What planning comes to.</summary>
public abstract record PlanResult
{
    private PlanResult()
    {
    }

    /// <summary>A plan for every host concerned.</summary>
    /// <param name="Plan">The plan; empty when nothing has to be done.</param>
    public sealed record Made(Plan Plan) : PlanResult;

    /// <summary>
    /// Only of an automatic rollback: a plan for the hosts that can go back, which must not wait for those that cannot.
    /// </summary>
    /// <param name="Plan">What can be done.</param>
    /// <param name="Refusals">Hosts that stay as they are, and why; at least one.</param>
    public sealed record Partial(Plan Plan, IReadOnlyList<PlanRefusal> Refusals) : PlanResult;

    /// <summary>Nothing can be planned.</summary>
    /// <param name="Refusals">Every reason, not just the first, in the order of the manifest; at least one.</param>
    public sealed record Refused(IReadOnlyList<PlanRefusal> Refusals) : PlanResult;
}

/// <summary>Why a host cannot be planned.</summary>
/// <param name="Host">The host.</param>
/// <param name="Error">What is wrong and what the operator can do.</param>
public sealed record PlanRefusal(HostName Host, OperatorError Error);
