using Decant.Agent.Leases;
using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>decant.v1.Leases: who may change which app.</summary>
internal sealed class LeasesService(AgentDatabase database, LeaseBook book, EarlierOperations earlier, OperationCalls calls) : V1.Leases.LeasesBase
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    /// <inheritdoc/>
    public override async Task<V1.Lease> AcquireLease(V1.AcquireLeaseRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var app = reader.Required<AppName>("app", request.App, AppName.TryParse);
        var holder = LeaseMapping.ReadHolder(reader, request.Holder);
        var duration = reader.Duration("duration", request.Duration, TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(1), Hour);
        var wait = reader.Duration("wait", request.Wait, TimeSpan.FromSeconds(60), TimeSpan.FromMilliseconds(1), Hour);
        var step = reader.Text("step", request.Step, 300);
        reader.ThrowIfWrong();

        database.ThrowIfReadOnly();
        var lease = book.Acquire(app, holder, duration, step);
        await earlier.AwaitAsync(lease, wait, context.CancellationToken);
        return LeaseMapping.ToMessage(book.Renew(app, lease.Token, "", null));
    }

    /// <inheritdoc/>
    public override Task<V1.Lease> RenewLease(V1.RenewLeaseRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var (app, token) = Named(reader, request.App, request.FencingToken);
        var step = reader.Text("step", request.Step, 300);
        var deployment = reader.Optional<DeploymentId>("deployment_id", request.DeploymentId, DeploymentId.TryParse);
        reader.ThrowIfWrong();
        return Task.FromResult(LeaseMapping.ToMessage(book.Renew(app, token, step, deployment)));
    }

    /// <inheritdoc/>
    public override Task<V1.ReleaseLeaseResponse> ReleaseLease(V1.ReleaseLeaseRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var (app, token) = Named(reader, request.App, request.FencingToken);
        reader.ThrowIfWrong();
        book.Release(app, token);
        return Task.FromResult(new V1.ReleaseLeaseResponse());
    }

    /// <inheritdoc/>
    public override Task<V1.ListLeasesResponse> ListLeases(V1.ListLeasesRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var app = reader.Optional<AppName>("app", request.App, AppName.TryParse);
        reader.ThrowIfWrong();
        return Task.FromResult(new V1.ListLeasesResponse { Leases = { book.List(app).Select(LeaseMapping.ToMessage) } });
    }

    /// <inheritdoc/>
    public override Task Unlock(V1.UnlockRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var app = reader.Required<AppName>("app", request.App, AppName.TryParse);
        var expected = reader.Token("lease_token", request.LeaseToken);
        var by = reader.Text("by", request.By, 255, required: true);
        var reason = reader.Text("reason", request.Reason, 500, required: true);
        // No turn of the app's: it may be the app's running operation that it is about.
        var operation = reader.Operation(request, request.Operation, OperationKind.Unlock, new OperationSubject(app), exclusive: null);
        reader.ThrowIfWrong();
        return calls.RunAsync(
            operation,
            (report, _) =>
            {
                var former = book.Unlock(app, expected, by, reason);
                if (former is not null) report.Message($"{by} takes the lease of {app} away from {former.Describe()}: {reason}");
                return Task.FromResult<OperationResult>(new Unlocked(by, reason, former?.Describe() ?? "", former?.Token));
            },
            responseStream,
            context);
    }

    private static (AppName App, FencingToken Token) Named(RequestReader reader, string app, ulong token)
    {
        if (token == 0) reader.Wrong("fencing_token", "is missing");
        return (reader.Required<AppName>("app", app, AppName.TryParse), reader.Token("fencing_token", token)!);
    }
}
