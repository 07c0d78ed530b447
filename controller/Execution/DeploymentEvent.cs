using Decant.Controller.Fleet;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>
/// Something that happened in a deployment, for the live console, plain lines and <c>--json</c>. Delivered in order, one at a time.
/// </summary>
/// <param name="At">When.</param>
/// <param name="Deployment">Which deployment.</param>
internal abstract record DeploymentEvent(DateTimeOffset At, DeploymentId Deployment);

/// <summary>What will be done; nothing was touched yet. Comes again, with <paramref name="IsRollback"/>, before a rollback.</summary>
/// <param name="Attempt">1, or higher when the deployment is resumed.</param>
internal sealed record PlanMade(DateTimeOffset At, DeploymentId Deployment, Plan Plan, int Attempt, bool IsRollback) : DeploymentEvent(At, Deployment);

/// <summary>An agent keeps the deployment waiting for its lease.</summary>
/// <param name="Agent">Which.</param>
/// <param name="Why">What it waits for, or why the agent does not answer.</param>
internal sealed record LeaseAwaited(DateTimeOffset At, DeploymentId Deployment, AgentAddress Agent, string Why) : DeploymentEvent(At, Deployment);

/// <summary>All steps of a preparation phase, a wave or the completion begin.</summary>
/// <param name="Stage">Which part of the plan.</param>
/// <param name="Hosts">Concerned.</param>
internal sealed record StageStarted(
    DateTimeOffset At, DeploymentId Deployment, PlanStage Stage, IReadOnlyList<HostName> Hosts) : DeploymentEvent(At, Deployment);

/// <summary>A preparation phase, a wave or the completion is over, well or not.</summary>
internal sealed record StageEnded(
    DateTimeOffset At, DeploymentId Deployment, PlanStage Stage, bool Succeeded, TimeSpan Elapsed) : DeploymentEvent(At, Deployment);

/// <summary>A step was journaled and begins.</summary>
internal sealed record StepStarted(DateTimeOffset At, DeploymentId Deployment, StepRun Run) : DeploymentEvent(At, Deployment);

/// <summary>A running step reports something.</summary>
internal sealed record StepProgressed(DateTimeOffset At, DeploymentId Deployment, StepRun Run, StepProgress Progress) : DeploymentEvent(At, Deployment);

/// <summary>The agent that does a step cannot be reached; the same operation is asked for again after a pause.</summary>
/// <param name="Wait">The pause.</param>
/// <param name="Error">Why it cannot be reached.</param>
internal sealed record StepRetried(
    DateTimeOffset At, DeploymentId Deployment, StepRun Run, TimeSpan Wait, OperatorError Error) : DeploymentEvent(At, Deployment);

/// <summary>A step ended.</summary>
internal sealed record StepEnded(DateTimeOffset At, DeploymentId Deployment, StepRun Run, StepEnd End, TimeSpan Elapsed) : DeploymentEvent(At, Deployment);

/// <summary>A host's cutover is complete: it is back in rotation with its new release (null: empty, as before the deployment).</summary>
internal sealed record HostDone(
    DateTimeOffset At, DeploymentId Deployment, HostName Host, ReleaseId? Release, bool IsRollback, TimeSpan Elapsed) : DeploymentEvent(At, Deployment);

/// <summary>A host's cutover failed.</summary>
/// <param name="Failure">The step and why.</param>
/// <param name="FailedHosts">Hosts failed so far, this one included.</param>
/// <param name="Budget">How many may.</param>
/// <param name="PassedOver">It is within the budget: the host stays out of rotation and the deployment goes on.</param>
internal sealed record HostFailed(
    DateTimeOffset At, DeploymentId Deployment, HostName Host, StepFailure Failure, int FailedHosts, int Budget, bool PassedOver)
    : DeploymentEvent(At, Deployment);

/// <summary>The operator asked to stop; running steps are waited for.</summary>
internal sealed record StopRequested(DateTimeOffset At, DeploymentId Deployment, IReadOnlyList<StepRun> Running) : DeploymentEvent(At, Deployment);

/// <summary>The failure budget is spent: what was changed is undone, the last host first.</summary>
/// <param name="Hosts">In the order of the rollback.</param>
internal sealed record RollbackStarted(
    DateTimeOffset At, DeploymentId Deployment, IReadOnlyList<HostName> Hosts) : DeploymentEvent(At, Deployment);

/// <summary>What this machine did not know of a deployment was had from the agents.</summary>
/// <param name="Attempt">The newest that any of them knows.</param>
/// <param name="From">Whose agents have it.</param>
/// <param name="Behind">Whose agents have something older.</param>
/// <param name="Writer">Who wrote it: <c>ann on ops1</c>.</param>
internal sealed record Recalled(
    DateTimeOffset At, DeploymentId Deployment, int Attempt, IReadOnlyList<string> From, IReadOnlyList<string> Behind, string Writer) : DeploymentEvent(At, Deployment);

/// <summary>Agents that do not keep the deployment's record now: another machine could not go on with it by what they have.</summary>
/// <param name="Errors">Why, one for each.</param>
internal sealed record RecordNotKept(DateTimeOffset At, DeploymentId Deployment, IReadOnlyList<OperatorError> Errors) : DeploymentEvent(At, Deployment);

/// <summary>The deployment is over. Always the last event.</summary>
internal sealed record DeploymentEnded(
    DateTimeOffset At, DeploymentId Deployment, DeploymentOutcome Outcome, TimeSpan Elapsed) : DeploymentEvent(At, Deployment);

/// <summary>A part of a plan.</summary>
/// <param name="Kind">Which kind.</param>
/// <param name="Name">For people: <c>stage</c>, <c>migrate</c>, <c>wave 2 of 3</c>, <c>completion</c>.</param>
/// <param name="Number">Of waves: 1, 2, …; otherwise 0.</param>
/// <param name="IsRollback">It belongs to a rollback.</param>
internal sealed record PlanStage(PlanStageKind Kind, string Name, int Number, bool IsRollback);

/// <summary>The kinds of parts that a plan has.</summary>
internal enum PlanStageKind
{
    /// <summary>While the old release serves everywhere.</summary>
    Preparation,

    /// <summary>Hosts that are cut over together.</summary>
    Wave,

    /// <summary>After the last wave.</summary>
    Completion,
}
