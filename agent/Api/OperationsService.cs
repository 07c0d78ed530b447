using Decant.Agent.Configuration;
using Decant.Agent.Leases;
using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>decant.v1.Operations: reads the journal, follows and cancels.</summary>
internal sealed class OperationsService(
    OperationRunner runner, OperationJournal journal, OperationCalls calls, OperationFollowers followers, LeaseBook leases, AgentIdentity identity)
    : V1.Operations.OperationsBase
{
    // gRPC clients take messages of 4 MiB unless told otherwise; an operation with a release's output in it can have hundreds of KiB.
    private const int MaxListBytes = 3 << 20;

    /// <inheritdoc/>
    public override Task<V1.Operation> GetOperation(V1.GetOperationRequest request, ServerCallContext context)
        => Task.FromResult(OperationMapping.ToMessage(Known(request.Id).Record, identity.Host));

    /// <inheritdoc/>
    public override Task<V1.ListOperationsResponse> ListOperations(V1.ListOperationsRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var app = reader.Optional<AppName>("app", request.App, AppName.TryParse);
        var deployment = reader.Optional<DeploymentId>("deployment_id", request.DeploymentId, DeploymentId.TryParse);
        if (request.Limit > 1000) reader.Wrong("limit", $"{request.Limit} is more than 1000");
        reader.ThrowIfWrong();

        var limit = request.Limit == 0 ? 100 : (int)request.Limit;
        var response = new V1.ListOperationsResponse();
        var bytes = 0;
        foreach (var operation in journal.List(app, deployment, limit).Select(r => OperationMapping.ToMessage(r, identity.Host)))
        {
            bytes += operation.CalculateSize();
            if (bytes > MaxListBytes) break;
            response.Operations.Add(operation);
        }

        return Task.FromResult(response);
    }

    /// <inheritdoc/>
    public override Task WatchOperation(
        V1.WatchOperationRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
        => calls.StreamAsync(Known(request.Id), (long)Math.Min(request.AfterSequence, long.MaxValue), responseStream, context.CancellationToken);

    /// <inheritdoc/>
    public override async Task WatchOperations(
        V1.WatchOperationsRequest request, IServerStreamWriter<V1.Operation> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var app = reader.Optional<AppName>("app", request.App, AppName.TryParse);
        reader.ThrowIfWrong();

        using var follower = followers.Enter();
        await foreach (var record in runner.WatchAsync(context.CancellationToken))
        {
            if (app is null || record.Subject.App == app)
                await responseStream.WriteAsync(OperationMapping.ToMessage(record, identity.Host), context.CancellationToken);
        }
    }

    /// <inheritdoc/>
    public override Task<V1.Operation> CancelOperation(V1.CancelOperationRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var id = reader.Required<OperationId>("id", request.Id, OperationId.TryParse);
        if (request.Reason.Length is 0 or > 500) reader.Wrong("reason", "say who cancels and why, in 1 to 500 characters");
        var token = reader.Token("fencing_token", request.FencingToken);
        reader.ThrowIfWrong();

        var operation = Known(id);
        leases.Check(operation.Record.Subject.App, token, LeaseRule.OnlyNotOlder);
        if (operation.Record.State == OperationState.Running) operation.Cancel(request.Reason);
        return Task.FromResult(OperationMapping.ToMessage(operation.Record, identity.Host));
    }

    private RunningOperation Known(string text)
    {
        var reader = new RequestReader();
        var id = reader.Required<OperationId>("id", text, OperationId.TryParse);
        reader.ThrowIfWrong();
        return Known(id);
    }

    private RunningOperation Known(OperationId id)
        => runner.Find(id) ?? throw new OperatorException(new OperatorError(
            StatusCode.NotFound,
            "OPERATION_NOT_FOUND",
            $"no operation {id} on {identity.Host}",
            "the journal keeps a limited number of operations; ListOperations shows them"));
}
