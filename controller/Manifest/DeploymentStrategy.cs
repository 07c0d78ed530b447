namespace Decant.Controller.Manifest;

/// <summary>How a release gets to the hosts: in which waves, by which cutover, and how long each thing may take.</summary>
/// <param name="Kind">Which waves.</param>
/// <param name="Batch">How many hosts make a wave.</param>
/// <param name="MinInRotation">Hosts that stay in rotation by Decant's own doing; 0 hosts: no promise.</param>
/// <param name="MinHealthy">How long a new instance must stay healthy before it gets traffic.</param>
/// <param name="HealthyDeadline">Until it must be healthy for the first time.</param>
/// <param name="DrainTimeout">How long requests in flight may take to finish.</param>
/// <param name="StopTimeout">How long the release may take to stop by itself before SIGTERM.</param>
/// <param name="TermTimeout">How long after SIGTERM before SIGKILL.</param>
/// <param name="UndrainTimeout">How long a balancer may take to call a member up.</param>
/// <param name="KeepOld">How long the old instance stays warm after a switch, so that a rollback moves the traffic back at once.</param>
/// <param name="FailureBudget">Hosts that may fail without stopping the deployment, 0 or more.</param>
/// <param name="AutoRollback">Roll back what was changed when the budget is spent.</param>
/// <param name="Canary">Of a canary: who goes first, how long it is watched, and what is too bad; null for other kinds.</param>
/// <param name="LongLived">What becomes of websockets in a drain; null: they count as requests in flight.</param>
/// <param name="Window">When deployments may begin; null: always.</param>
public sealed record DeploymentStrategy(
    StrategyKind Kind,
    HostShare Batch,
    HostShare MinInRotation,
    TimeSpan MinHealthy,
    TimeSpan HealthyDeadline,
    TimeSpan DrainTimeout,
    TimeSpan StopTimeout,
    TimeSpan TermTimeout,
    TimeSpan UndrainTimeout,
    TimeSpan KeepOld,
    int FailureBudget,
    bool AutoRollback,
    CanaryPolicy? Canary = null,
    LongLivedConnections? LongLived = null,
    MaintenanceWindow? Window = null);

/// <summary>Which waves.</summary>
public enum StrategyKind
{
    /// <summary>One batch of hosts after the other.</summary>
    Rolling,

    /// <summary>The new release is started beside the old one everywhere; then all traffic moves at once.</summary>
    BlueGreen,

    /// <summary>A few hosts, or a share of the traffic, first; the rest when that has proved itself.</summary>
    Canary,

    /// <summary>Everything is stopped before anything is started, for apps of which two releases must never run at once.</summary>
    Recreate,
}
