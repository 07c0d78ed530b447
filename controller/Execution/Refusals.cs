namespace Decant.Controller.Execution;

/// <summary>Reasons of the errors that refuse a deployment before anything is touched.</summary>
internal static class Refusals
{
    /// <summary>The release made a deployment fail; <c>--again</c> deploys it all the same.</summary>
    public const string ReleaseFailedBefore = "RELEASE_FAILED_BEFORE";

    /// <summary>Another deployment of the app is running on this machine.</summary>
    public const string DeploymentRuns = "DEPLOYMENT_RUNS";

    /// <summary>Somebody holds the app's lease on a host; the agent says who.</summary>
    public const string LeaseHeld = "LEASE_HELD";

    /// <summary>The lease is not ours any more; the agent says whose.</summary>
    public const string LeaseLost = "LEASE_LOST";

    /// <summary>Another controller has gone on with the deployment; the agent says so.</summary>
    public const string RecordSuperseded = "RECORD_SUPERSEDED";

    /// <summary>A host lacks the release, and its archive is not here.</summary>
    public const string ArchiveNeeded = "ARCHIVE_NEEDED";

    /// <summary>What an earlier holder of the lease began has not ended yet.</summary>
    public const string OperationsRunning = "OPERATIONS_RUNNING";

    /// <summary>The manifest's maintenance window is closed; <c>--now</c> deploys all the same.</summary>
    public const string OutsideWindow = "OUTSIDE_WINDOW";

    /// <summary>Agents or balancers that do not answer.</summary>
    public const string HostUnreachable = "HOST_UNREACHABLE";

    /// <summary>There is nothing to resume, or the journal does not know it.</summary>
    public const string NotResumable = "NOT_RESUMABLE";

    /// <summary>No host has a release to go back to.</summary>
    public const string NothingToRollBackTo = "NOTHING_TO_ROLL_BACK_TO";
}
