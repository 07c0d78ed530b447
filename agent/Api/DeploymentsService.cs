using Decant.Agent.Deployments;
using Decant.Agent.Leases;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>decant.v1.Deployments: what controllers need to go on with each other's deployments.</summary>
internal sealed class DeploymentsService(DeploymentStore store, LeaseBook leases, TimeProvider time) : V1.Deployments.DeploymentsBase
{
    // gRPC clients take messages of 4 MiB unless told otherwise.
    private const int MaxListBytes = 3 << 20;

    /// <inheritdoc/>
    public override Task<V1.PutDeploymentResponse> PutDeployment(V1.PutDeploymentRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        if (request.FencingToken == 0) reader.Wrong("fencing_token", "is missing");
        var token = reader.Token("fencing_token", request.FencingToken);
        var deployment = DeploymentMapping.ReadRecord(reader, request.Record, token, time.GetUtcNow());
        reader.ThrowIfWrong();
        store.Put(deployment);
        return Task.FromResult(new V1.PutDeploymentResponse());
    }

    /// <inheritdoc/>
    public override Task<V1.ListDeploymentsResponse> ListDeployments(V1.ListDeploymentsRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var app = reader.Optional<AppName>("app", request.App, AppName.TryParse);
        var id = reader.Optional<DeploymentId>("deployment_id", request.DeploymentId, DeploymentId.TryParse);
        reader.ThrowIfWrong();

        var held = leases.List(app).ToDictionary(l => l.Page.Lease.App);
        var response = new V1.ListDeploymentsResponse();
        var bytes = 0;
        foreach (var kept in store.List(app, id).Select(k => DeploymentMapping.ToMessage(k, request.Brief, held.GetValueOrDefault(k.App))))
        {
            bytes += kept.CalculateSize();
            if (bytes > MaxListBytes) break;
            response.Deployments.Add(kept);
        }

        return Task.FromResult(response);
    }
}
