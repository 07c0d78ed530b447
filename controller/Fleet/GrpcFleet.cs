using System.Collections.Concurrent;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Decant.V1;
using Grpc.Core;

namespace Decant.Controller.Fleet;

/// <summary>The hosts behind their agents.</summary>
internal sealed class GrpcFleet : IFleet
{
    private const int TailLines = 50;

    // A repeated call replays the operation's events: those that were reported already are not reported twice.
    private readonly ConcurrentDictionary<OperationId, ulong> reported = [];
    private readonly AgentChannels channels;
    private readonly ArchiveFile? archive;
    private readonly GrpcLeases leases;
    private readonly GrpcRecords records;

    /// <summary>Knows the hosts by their agents only when they are asked.</summary>
    /// <param name="channels">Connections, owned by the caller.</param>
    /// <param name="archive">Where a release that is to be staged comes from; null: it is on the hosts already.</param>
    public GrpcFleet(AgentChannels channels, ArchiveFile? archive)
    {
        (this.channels, this.archive) = (channels, archive);
        var timings = new LeaseTimings();
        leases = new GrpcLeases(channels, timings);
        records = new GrpcRecords(channels, leases, timings);
    }

    /// <inheritdoc/>
    public IHostLeases Leases => leases;

    /// <inheritdoc/>
    public IHostRecords Records => records;

    /// <inheritdoc/>
    public async Task<HostObservation> ObserveAsync(ManifestHost host, AppName app, CancellationToken cancellation)
    {
        try
        {
            var status = await new Hosts.HostsClient(channels.To(host.Agent)).GetStatusAsync(
                new GetStatusRequest { App = app.Value }, cancellationToken: cancellation);
            return StatusMapping.ToObservation(status, app);
        }
        catch (RpcException exception)
        {
            cancellation.ThrowIfCancellationRequested();
            return new HostObservation.Unreachable(AgentErrors.Of(exception, host.Agent));
        }
    }

    /// <inheritdoc/>
    public async Task<BalancerObservation> ObserveAsync(ManifestBalancer balancer, ManifestHost host, CancellationToken cancellation)
    {
        var agent = balancer.AgentOf(host);
        try
        {
            var backend = await new Decant.V1.Balancers.BalancersClient(channels.To(agent)).GetBackendAsync(
                new GetBackendRequest { Balancer = balancer.Balancer.Value, Backend = balancer.Backend.Value },
                cancellationToken: cancellation);
            return StatusMapping.ToObservation(backend);
        }
        catch (RpcException exception)
        {
            cancellation.ThrowIfCancellationRequested();
            return new BalancerObservation.Unreachable(AgentErrors.Of(exception, agent));
        }
    }

    /// <inheritdoc/>
    public async Task<StepOutcome> RunAsync(
        Step step, OperationId operation, DeploymentId deployment, Action<StepProgress> progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        var tail = new Queue<string>();
        try
        {
            if (step is StageStep stage && !await ReleaseUpload.SendAsync(channels.BulkTo(step.Agent), stage.App, stage.Release, archive, leases.TokenAt(step.Agent), progress, cancellation))
                return new StepOutcome.Failed(NoArchive(stage), []);
            return await FollowAsync(step, operation, deployment, progress, tail, cancellation);
        }
        catch (RpcException exception) when (!cancellation.IsCancellationRequested)
        {
            var error = AgentErrors.Of(exception, step.Agent).With("host", step.Host.Value);
            return AgentErrors.IsUnknown(exception, error) ? new StepOutcome.Unknown(error) : new StepOutcome.Failed(error, [.. tail]);
        }
        catch (IOException exception)
        {
            return new StepOutcome.Failed(Unreadable(step, exception), []);
        }
        catch (Exception exception) when (cancellation.IsCancellationRequested && exception is RpcException or OperationCanceledException)
        {
            await CancelAsync(step, operation, deployment);
            throw new OperationCanceledException($"{step.Describe()}: given up", exception, cancellation);
        }
    }

    private async Task<StepOutcome> FollowAsync(
        Step step, OperationId operation, DeploymentId deployment, Action<StepProgress> progress, Queue<string> tail, CancellationToken cancellation)
    {
        var reference = new OperationRef { Id = operation.Value, DeploymentId = deployment.Value, FencingToken = leases.TokenAt(step.Agent), Step = records.StepOf(operation) };
        using var call = StepCalls.Begin(step, reference, channels.To(step.Agent), cancellation);
        await foreach (var item in call.ResponseStream.ReadAllAsync(cancellation))
        {
            if (item.Output is { } line)
            {
                if (tail.Count == TailLines) tail.Dequeue();
                tail.Enqueue(line.Text);
            }

            if (item.Finished is { Error: null } finished)
                return new StepOutcome.Succeeded(StepDetail.Of(finished.Result), finished.Result?.Unchanged ?? false);
            if (item.Finished is { Error: { } error })
            {
                var why = OperatorError.FromStatus(error).With("host", step.Host.Value);
                return new StepOutcome.Failed(why, [.. tail]);
            }

            if (IsNew(operation, item.Sequence) && ToProgress(item) is { } news) progress(news);
        }

        return new StepOutcome.Unknown(new OperatorError(
            StatusCode.Unavailable, "STREAM_ENDED", $"the agent at {step.Agent} stopped telling before the end", "see the agent's log")
            .With("host", step.Host.Value));
    }

    private bool IsNew(OperationId operation, ulong sequence)
    {
        var isNew = sequence > reported.GetValueOrDefault(operation);
        if (isNew) reported[operation] = sequence;
        return isNew;
    }

    private async Task CancelAsync(Step step, OperationId operation, DeploymentId deployment)
    {
        try
        {
            await new Operations.OperationsClient(channels.To(step.Agent)).CancelOperationAsync(
                new CancelOperationRequest
                {
                    Id = operation.Value,
                    Reason = $"deployment {deployment} was aborted by its operator",
                    FencingToken = leases.TokenAt(step.Agent),
                },
                deadline: channels.Deadline(channels.Timings.Cancel));
        }
        // It has not begun, or nobody answers: the journal says "aborted" either way, which promises nothing.
        catch (RpcException)
        {
        }
    }

    private static StepProgress? ToProgress(OperationEvent item) => item.EventCase switch
    {
        OperationEvent.EventOneofCase.Message => new StepProgress.Message(item.Message),
        OperationEvent.EventOneofCase.Output => new StepProgress.Output(item.Output.Text, item.Output.IsError),
        OperationEvent.EventOneofCase.Drain => new StepProgress.Draining((int)item.Drain.Sessions, (int)item.Drain.LongLived),
        OperationEvent.EventOneofCase.Health => new StepProgress.Health(
            (int)item.Health.Successes, (int)item.Health.Failures, item.Health.Healthy, item.Health.LastFailure),
        _ => null,
    };

    private OperatorError Unreadable(Step step, IOException exception) => new OperatorError(
        StatusCode.NotFound, "ARCHIVE_NOT_FOUND", $"cannot read {archive?.Path}: {exception.Message}", "put the archive back and deploy again")
        .With("host", step.Host.Value);

    private static OperatorError NoArchive(StageStep step) => new OperatorError(
        StatusCode.FailedPrecondition,
        "RELEASE_NOT_STAGED",
        $"{step.Host} does not have {step.App} {step.Release}, and there is no archive to send",
        "deploy it by its archive").With("host", step.Host.Value);
}
