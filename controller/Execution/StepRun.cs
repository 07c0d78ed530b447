using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>One run of one step: what events and the journal know it by.</summary>
/// <param name="Step">What is done.</param>
/// <param name="Operation">The agent's operation that does it.</param>
/// <param name="Attempt">1 for the first run of the deployment, 2 and on after <c>decant resume</c>.</param>
/// <param name="IsRollback">It undoes what the deployment changed.</param>
internal sealed record StepRun(Step Step, OperationId Operation, int Attempt, bool IsRollback);

/// <summary>How a step run ended, as journaled.</summary>
/// <param name="State">How.</param>
/// <param name="Detail">For people, when it succeeded: <c>stopped by script after 1.2 s</c>.</param>
/// <param name="Unchanged">Nothing had to be done.</param>
/// <param name="Error">Why it did not succeed; null when it did.</param>
/// <param name="Tail">The release's own last lines.</param>
internal sealed record StepEnd(StepState State, string Detail, bool Unchanged, OperatorError? Error, IReadOnlyList<string> Tail)
{
    /// <summary>The step is done.</summary>
    public bool Succeeded => State == StepState.Succeeded;

    /// <summary>
    /// The agent says no and has left everything as it was: too few others are up, there is no such member. A balancer that fell silent
    /// in the middle may have done what it was told all the same.
    /// </summary>
    public bool ChangedNothing => State == StepState.Failed && !IsUnknownAtBalancer;

    /// <summary>The balancer does not answer: nobody knows what it does with its members.</summary>
    public bool IsUnknownAtBalancer => Error?.Facts.GetValueOrDefault("state") == "unknown";
}

/// <summary>Where a step run stands.</summary>
internal enum StepState
{
    /// <summary>Begun and not ended; in the journal of a dead controller: nobody knows.</summary>
    Running,

    /// <summary>It did what it says.</summary>
    Succeeded,

    /// <summary>The agent says that it failed.</summary>
    Failed,

    /// <summary>The agent could not be asked any more: it may or may not have been done.</summary>
    Unknown,

    /// <summary>The operator gave up waiting for it (second Ctrl-C).</summary>
    Aborted,
}
