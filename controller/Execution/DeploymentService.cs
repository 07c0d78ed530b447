using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>What commands call: observes, plans, takes the app's lock, journals and executes.</summary>
internal sealed class DeploymentService
{
    /// <summary>What a deployment would do; touches nothing.</summary>
    /// <exception cref="Errors.OperatorException">A host or balancer cannot be reached.</exception>
    public Task<Plan> PlanAsync(DeployRequest request, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Rolls a release out. Every way it can end is an outcome; refusals are exceptions.</summary>
    /// <exception cref="Errors.OperatorException">
    /// Refused before anything was touched: RELEASE_FAILED_BEFORE, DEPLOYMENT_RUNS, HOST_UNREACHABLE; see <see cref="ExitCodes"/>.
    /// </exception>
    public Task<DeploymentOutcome> DeployAsync(DeployRequest request, StopSignal stop) => throw new NotImplementedException();

    /// <summary>Goes on with a deployment that was stopped, aborted or interrupted.</summary>
    public Task<DeploymentOutcome> ResumeAsync(DeploymentId id, StopSignal stop) => throw new NotImplementedException();

    /// <summary>Takes hosts back to what they ran before.</summary>
    public Task<DeploymentOutcome> RollbackAsync(RollbackRequest request, StopSignal stop) => throw new NotImplementedException();
}
