using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Operations;

/// <summary>One piece of work of this agent, as its journal has it.</summary>
/// <param name="Id">Chosen by the caller.</param>
/// <param name="Deployment">The deployment that causes it; null when none does.</param>
/// <param name="Kind">What kind of work.</param>
/// <param name="Subject">What it is about.</param>
/// <param name="Fingerprint">Hash of the request without its ids: tells a repetition from a reused id.</param>
/// <param name="StartedAt">Wall clock, for people.</param>
/// <param name="State">Where it stands.</param>
/// <param name="EndedAt">Null while it runs.</param>
/// <param name="Error">Why it failed, was cancelled or interrupted.</param>
/// <param name="Result">What it has to tell when it succeeded.</param>
/// <param name="Step">What its caller said of the step that it is; null: nothing.</param>
internal sealed record OperationRecord(
    OperationId Id,
    DeploymentId? Deployment,
    OperationKind Kind,
    OperationSubject Subject,
    string Fingerprint,
    DateTimeOffset StartedAt,
    OperationState State,
    DateTimeOffset? EndedAt = null,
    OperatorError? Error = null,
    OperationResult? Result = null,
    CallersStep? Step = null);

/// <summary>What an operation is about; parts that do not apply are null.</summary>
/// <param name="App">The app.</param>
/// <param name="Slot">The slot.</param>
/// <param name="Release">The release.</param>
/// <param name="Member">A balancer's member, as <c>balancer/backend/member</c>.</param>
internal sealed record OperationSubject(AppName? App = null, SlotName? Slot = null, ReleaseId? Release = null, string? Member = null)
{
    /// <summary>For people and logs: <c>shop/main 1.4.2-0a1b2c3d4e5f</c>, <c>edge/shop/web1</c>.</summary>
    public override string ToString()
        => Member ?? $"{App}{(Slot is null ? "" : $"/{Slot}")}{(Release is null ? "" : $" {Release}")}";
}

/// <summary>What kind of work an operation is. The names are stored; the numbers are not.</summary>
internal enum OperationKind
{
    Stage,
    RemoveRelease,
    PruneReleases,
    Preflight,
    Migrate,
    Start,
    Stop,
    AwaitHealthy,
    Evaluate,
    Drain,
    Undrain,
    Maintenance,
    Move,
    RemoveMember,
    Retire,
    Keep,
    Unlock,
}

/// <summary>Where an operation stands; <see cref="Running"/> is the only state that changes.</summary>
internal enum OperationState
{
    Running,
    Succeeded,
    Failed,
    Cancelled,
    Interrupted,
}
