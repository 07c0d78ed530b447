using Decant.Controller.Fleet;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>How a deployment ended and where every host stands.</summary>
/// <param name="Id">The deployment.</param>
/// <param name="Status">How.</param>
/// <param name="Summary">One or two sentences for people.</param>
/// <param name="WhatNext">What the operator can do now; empty when nothing is left to do.</param>
/// <param name="Hosts">Each host of the plan, in its order.</param>
/// <param name="Failure">The first step that failed; null when none did.</param>
internal sealed record DeploymentOutcome(
    DeploymentId Id,
    DeploymentStatus Status,
    string Summary,
    string WhatNext,
    IReadOnlyList<HostStanding> Hosts,
    StepFailure? Failure)
{
    /// <summary>What the command exits with.</summary>
    public ExitCode ExitCode => Status switch
    {
        DeploymentStatus.Succeeded or DeploymentStatus.NothingToDo => ExitCode.Success,
        DeploymentStatus.FailedUntouched or DeploymentStatus.RolledBack => ExitCode.FailedSafely,
        DeploymentStatus.FailedPartly or DeploymentStatus.LeaseLost => ExitCode.NeedsAttention,
        DeploymentStatus.Stopped or DeploymentStatus.Aborted => ExitCode.Stopped,
        DeploymentStatus.AwaitingPromotion => ExitCode.AwaitingPromotion,
        _ => ExitCode.Unexpected,
    };
}

/// <summary>Where a deployment stands.</summary>
internal enum DeploymentStatus
{
    /// <summary>It runs.</summary>
    Running,

    /// <summary>It is done; hosts that failed within the budget are among <see cref="DeploymentOutcome.Hosts"/>.</summary>
    Succeeded,

    /// <summary>Every host already ran the release; never journaled.</summary>
    NothingToDo,

    /// <summary>It failed before any instance was touched: all hosts keep serving the old release.</summary>
    FailedUntouched,

    /// <summary>It failed and all that was changed is as it was before.</summary>
    RolledBack,

    /// <summary>It failed and was not, or not wholly, rolled back: needs a person.</summary>
    FailedPartly,

    /// <summary>The operator stopped it between steps; <c>decant resume</c> goes on.</summary>
    Stopped,

    /// <summary>Its canaries have proved themselves; <c>decant promote</c> goes on, <c>decant abort</c> rolls back.</summary>
    AwaitingPromotion,

    /// <summary>The operator gave up waiting for running steps; <c>decant resume</c> goes on.</summary>
    Aborted,

    /// <summary>Somebody else has, or had, the right to change the app: it stopped at once and undid nothing.</summary>
    LeaseLost,

    /// <summary>Its controller died. Never written: it is what a reader calls <see cref="Running"/> without a live process.</summary>
    Interrupted,
}

/// <summary>The step that made a host, or the deployment, fail.</summary>
/// <param name="Run">Which.</param>
/// <param name="State">Failed or Unknown.</param>
/// <param name="Error">Why.</param>
/// <param name="Tail">The release's own last lines.</param>
internal sealed record StepFailure(StepRun Run, StepState State, OperatorError Error, IReadOnlyList<string> Tail);

/// <summary>Where one host stands at the end.</summary>
/// <param name="Host">The host.</param>
/// <param name="Position">How far it got.</param>
/// <param name="Release">What it serves, as far as is known; null when nothing or unknown.</param>
/// <param name="Detail">For people: <c>drained and stopped, not started again</c>.</param>
internal sealed record HostStanding(HostName Host, HostPosition Position, ReleaseId? Release, string Detail);

/// <summary>How far a host got.</summary>
internal enum HostPosition
{
    /// <summary>Nothing that serves was touched.</summary>
    Untouched,

    /// <summary>It was cut over and is back in rotation.</summary>
    Done,

    /// <summary>It was changed and is as it was before.</summary>
    RolledBack,

    /// <summary>It failed and stays out of rotation.</summary>
    OutOfRotation,

    /// <summary>Its steps were begun and not finished.</summary>
    Halfway,

    /// <summary>Its agent, or its balancer's, cannot be asked.</summary>
    Unknown,
}
