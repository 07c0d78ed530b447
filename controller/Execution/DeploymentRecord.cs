using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>A deployment as the journal has it.</summary>
/// <param name="Id">Sortable by time.</param>
/// <param name="App">The app.</param>
/// <param name="Intent">Deploy or roll back.</param>
/// <param name="Release">What was to run; null for a rollback in which hosts go to different ones.</param>
/// <param name="Manifest">The manifest's text as it was then.</param>
/// <param name="ArchivePath">Where the archive was; null when the release was staged already.</param>
/// <param name="PlanText">The plan as printed.</param>
/// <param name="Status">Where it stands; <see cref="DeploymentStatus.Interrupted"/> when its controller died.</param>
/// <param name="Attempt">1, or how often it was resumed plus 1.</param>
/// <param name="RollingBack">Its failure budget was spent and the rollback begun: a resume goes on rolling back.</param>
/// <param name="StartedAt">Of the first attempt.</param>
/// <param name="EndedAt">Of the last attempt; null while it runs.</param>
/// <param name="Message">The outcome's summary; empty while it runs.</param>
/// <param name="WhatNext">The outcome's advice; may be empty.</param>
/// <param name="Holder">Who runs, or ran, it.</param>
/// <param name="Cutovers">What each host ran before the first attempt, and what it was to run.</param>
/// <param name="Only">The hosts that it was asked for; null: all of the manifest.</param>
/// <param name="Canary">How far its canaries have got; null: it has none.</param>
/// <param name="DownFrom">Of a rollback: the release whose down-migration ends it; null: none does.</param>
/// <param name="Revision">Grows with each writing of the record, on whichever machine: of two of one attempt, the higher one is newer.</param>
internal sealed record DeploymentRecord(
    DeploymentId Id,
    AppName App,
    PlanIntent Intent,
    ReleaseId? Release,
    ManifestSource Manifest,
    string? ArchivePath,
    string PlanText,
    DeploymentStatus Status,
    int Attempt,
    bool RollingBack,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndedAt,
    string Message,
    string WhatNext,
    ControllerProcess Holder,
    IReadOnlyList<PlannedCutover> Cutovers,
    IReadOnlyList<HostName>? Only = null,
    CanaryProgress? Canary = null,
    ReleaseId? DownFrom = null,
    int Revision = 0)
{
    /// <summary>How new what it says is.</summary>
    public (int Attempt, int Revision) Age => (Attempt, Revision);

    /// <summary>The part that is planned when it goes on.</summary>
    public DeploymentScope Scope => new(Only?.ToHashSet(), Canary);

    /// <summary>It neither ended well nor is all as it was before: it can be resumed, or undone.</summary>
    public bool IsUnfinished => Status is DeploymentStatus.Stopped or DeploymentStatus.Aborted or DeploymentStatus.Interrupted
        or DeploymentStatus.FailedPartly or DeploymentStatus.AwaitingPromotion or DeploymentStatus.LeaseLost;
}

/// <summary>A manifest's text and where it was read.</summary>
/// <param name="Path">For messages.</param>
/// <param name="Text">All of it.</param>
internal sealed record ManifestSource(string Path, string Text);

/// <summary>What a host ran before a deployment, and what it was to run.</summary>
/// <param name="Host">The host.</param>
/// <param name="From">Null: nothing.</param>
/// <param name="To">Null: nothing.</param>
/// <param name="Slot">The settings that it ran with; null: nothing ran.</param>
internal sealed record PlannedCutover(HostName Host, ReleaseId? From, ReleaseId? To, SlotSettings? Slot);

/// <summary>A step run as the journal has it.</summary>
/// <param name="Deployment">Its deployment.</param>
/// <param name="Key">Unique within a plan: <c>web1/drain/edge</c>.</param>
/// <param name="Host">The host that it is about.</param>
/// <param name="Verb">What kind of step.</param>
/// <param name="Description">One line for people.</param>
/// <param name="Operation">The agent's operation.</param>
/// <param name="Attempt">Of the deployment.</param>
/// <param name="IsRollback">It undoes something.</param>
/// <param name="Hosts">The hosts that it is about: more than one where traffic moves together.</param>
/// <param name="TakesOut">Members that get no new requests any more by it.</param>
/// <param name="PutsIn">Members that take requests by it.</param>
/// <param name="BeganAt">Written before it began.</param>
/// <param name="EndedAt">Null: it runs, or its controller died.</param>
/// <param name="End">How it ended; null as long as it has not.</param>
internal sealed record StepRecord(
    DeploymentId Deployment,
    string Key,
    HostName Host,
    string Verb,
    string Description,
    OperationId Operation,
    int Attempt,
    bool IsRollback,
    IReadOnlyList<HostName> Hosts,
    IReadOnlyList<MemberSeat> TakesOut,
    IReadOnlyList<MemberSeat> PutsIn,
    DateTimeOffset BeganAt,
    DateTimeOffset? EndedAt,
    StepEnd? End);

/// <summary>A release that made a deployment fail.</summary>
/// <param name="App">The app.</param>
/// <param name="Release">The release.</param>
/// <param name="Deployment">The deployment that failed.</param>
/// <param name="Error">Why.</param>
/// <param name="At">When.</param>
internal sealed record FailedRelease(AppName App, ReleaseId Release, DeploymentId Deployment, OperatorError Error, DateTimeOffset At);
