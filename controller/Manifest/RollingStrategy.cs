namespace Decant.Controller.Manifest;

/// <summary>Rolling: the hosts one batch after the other, each drained, replaced, checked and put back.</summary>
/// <param name="Batch">How many hosts make a wave.</param>
/// <param name="MinHealthy">How long a new instance must stay healthy before it gets traffic.</param>
/// <param name="HealthyDeadline">Until it must be healthy for the first time.</param>
/// <param name="DrainTimeout">How long requests in flight may take to finish.</param>
/// <param name="StopTimeout">How long the release may take to stop by itself before SIGTERM.</param>
/// <param name="TermTimeout">How long after SIGTERM before SIGKILL.</param>
/// <param name="UndrainTimeout">How long a balancer may take to call a member up.</param>
/// <param name="FailureBudget">Hosts that may fail without stopping the deployment, 0 or more.</param>
/// <param name="AutoRollback">Roll back what was changed when the budget is spent.</param>
public sealed record RollingStrategy(
    BatchSize Batch,
    TimeSpan MinHealthy,
    TimeSpan HealthyDeadline,
    TimeSpan DrainTimeout,
    TimeSpan StopTimeout,
    TimeSpan TermTimeout,
    TimeSpan UndrainTimeout,
    int FailureBudget,
    bool AutoRollback);
