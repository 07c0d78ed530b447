using Decant.Errors;
using Decant.Names;
using Decant.V1;

namespace Decant.Controller.Fleet;

/// <summary>Hosts that keep nothing of deployments.</summary>
internal sealed class NoHostRecords : IHostRecords
{
    /// <summary>The only one that there has to be.</summary>
    public static NoHostRecords Instance { get; } = new();

    /// <inheritdoc/>
    public Task<OperatorError?> PutAsync(AgentAddress agent, DeploymentRecord record, CancellationToken cancellation)
        => Task.FromResult<OperatorError?>(null);

    /// <inheritdoc/>
    public void Describe(OperationId operation, DeploymentStep step)
    {
    }

    /// <inheritdoc/>
    public Task<(IReadOnlyList<KeptDeployment> Kept, OperatorError? Error)> ListAsync(
        AgentAddress agent, AppName app, DeploymentId? deployment, CancellationToken cancellation)
        => Task.FromResult<(IReadOnlyList<KeptDeployment>, OperatorError?)>(([], null));

    /// <inheritdoc/>
    public Task<(IReadOnlyList<Operation> Operations, OperatorError? Error)> OperationsAsync(
        AgentAddress agent, DeploymentId deployment, CancellationToken cancellation)
        => Task.FromResult<(IReadOnlyList<Operation>, OperatorError?)>(([], null));
}
