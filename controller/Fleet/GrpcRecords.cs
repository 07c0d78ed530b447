using System.Collections.Concurrent;
using Decant.Errors;
using Decant.Names;
using Decant.V1;
using Grpc.Core;

namespace Decant.Controller.Fleet;

/// <summary>Records at agents over gRPC.</summary>
/// <param name="channels">Connections, owned by the caller.</param>
/// <param name="leases">Whose tokens go along.</param>
/// <param name="timings">How long is waited.</param>
internal sealed class GrpcRecords(AgentChannels channels, GrpcLeases leases, LeaseTimings timings) : IHostRecords
{
    // As many as an agent answers with at once.
    private const uint MostOperations = 1000;

    private readonly ConcurrentDictionary<OperationId, DeploymentStep> steps = [];

    /// <summary>What was said of an operation; null: nothing.</summary>
    public DeploymentStep? StepOf(OperationId operation) => steps.GetValueOrDefault(operation);

    /// <inheritdoc/>
    public void Describe(OperationId operation, DeploymentStep step) => steps[operation] = step;

    /// <inheritdoc/>
    public async Task<OperatorError?> PutAsync(AgentAddress agent, DeploymentRecord record, CancellationToken cancellation)
    {
        try
        {
            await Client(agent).PutDeploymentAsync(
                new PutDeploymentRequest { FencingToken = leases.TokenAt(agent), Record = record }, deadline: channels.Deadline(timings.CallDeadline), cancellationToken: cancellation);
            return null;
        }
        catch (RpcException exception) when (exception.StatusCode == StatusCode.Unimplemented)
        {
            return null;
        }
        catch (RpcException exception)
        {
            cancellation.ThrowIfCancellationRequested();
            return AgentErrors.Of(exception, agent);
        }
    }

    /// <inheritdoc/>
    public Task<(IReadOnlyList<KeptDeployment> Kept, OperatorError? Error)> ListAsync(
        AgentAddress agent, AppName app, DeploymentId? deployment, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(app);
        var request = new ListDeploymentsRequest { App = app.Value, DeploymentId = deployment?.Value ?? "", Brief = deployment is null };
        return AskAsync<KeptDeployment>(
            agent, async () => (await Client(agent).ListDeploymentsAsync(request, deadline: channels.Deadline(timings.CallDeadline), cancellationToken: cancellation)).Deployments, cancellation);
    }

    /// <inheritdoc/>
    public Task<(IReadOnlyList<Operation> Operations, OperatorError? Error)> OperationsAsync(
        AgentAddress agent, DeploymentId deployment, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        var request = new ListOperationsRequest { DeploymentId = deployment.Value, Limit = MostOperations };
        return AskAsync<Operation>(
            agent,
            async () => (await new Operations.OperationsClient(channels.To(agent)).ListOperationsAsync(request, deadline: channels.Deadline(timings.CallDeadline), cancellationToken: cancellation)).Operations,
            cancellation);
    }

    private static async Task<(IReadOnlyList<T> Answer, OperatorError? Error)> AskAsync<T>(
        AgentAddress agent, Func<Task<IReadOnlyList<T>>> ask, CancellationToken cancellation)
    {
        try
        {
            return (await ask(), null);
        }
        catch (RpcException exception) when (exception.StatusCode == StatusCode.Unimplemented)
        {
            return ([], null);
        }
        catch (RpcException exception)
        {
            cancellation.ThrowIfCancellationRequested();
            return ([], AgentErrors.Of(exception, agent));
        }
    }

    private Deployments.DeploymentsClient Client(AgentAddress agent) => new(channels.To(agent));
}
