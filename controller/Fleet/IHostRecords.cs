using Decant.Errors;
using Decant.Names;
using Decant.V1;

namespace Decant.Controller.Fleet;

/// <summary>
/// What the hosts' agents keep of deployments, so that another machine can go on with them: the deployments' records, and the steps with the
/// operations that do them. In the contract's own messages: they are what outlives the controller that wrote them.
/// </summary>
public interface IHostRecords
{
    /// <summary>Has an agent keep a record, under the lease that is held there.</summary>
    /// <returns>Null when it is on the agent's disk, or when the agent is of a version that keeps none; otherwise why it is not.</returns>
    Task<OperatorError?> PutAsync(AgentAddress agent, DeploymentRecord record, CancellationToken cancellation);

    /// <summary>Says which step an operation is; sent along when the operation is asked for.</summary>
    void Describe(OperationId operation, DeploymentStep step);

    /// <summary>What an agent keeps of an app's deployments.</summary>
    /// <param name="agent">Whose.</param>
    /// <param name="app">The app.</param>
    /// <param name="deployment">Only this one, whole; null: all, without their manifests, plans and hosts.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>The records, none from an agent of a version that keeps none; or why they cannot be had.</returns>
    Task<(IReadOnlyList<KeptDeployment> Kept, OperatorError? Error)> ListAsync(
        AgentAddress agent, AppName app, DeploymentId? deployment, CancellationToken cancellation);

    /// <summary>The operations of a deployment that an agent has in its journal.</summary>
    Task<(IReadOnlyList<Operation> Operations, OperatorError? Error)> OperationsAsync(
        AgentAddress agent, DeploymentId deployment, CancellationToken cancellation);
}
