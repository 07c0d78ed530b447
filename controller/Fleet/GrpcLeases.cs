using System.Collections.Concurrent;
using Decant.Errors;
using Decant.Names;
using Decant.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Decant.Controller.Fleet;

/// <summary>Leases at agents over gRPC.</summary>
/// <param name="channels">Connections, owned by the caller.</param>
/// <param name="timings">How long is waited.</param>
internal sealed class GrpcLeases(AgentChannels channels, LeaseTimings timings) : IHostLeases
{
    private readonly ConcurrentDictionary<AgentAddress, ulong> tokens = [];

    /// <summary>What goes along with a call to an agent; 0: there is no lease.</summary>
    public ulong TokenAt(AgentAddress agent) => tokens.GetValueOrDefault(agent);

    /// <inheritdoc/>
    public async Task<LeaseAnswer> AcquireAsync(AgentAddress agent, WantedLease wanted, CancellationToken cancellation)
    {
        var request = new AcquireLeaseRequest
        {
            App = wanted.App.Value,
            Holder = new LeaseHolder
            {
                Id = wanted.Id,
                User = BoundedText.Cut(wanted.Holder.User, 64),
                Machine = BoundedText.Cut(wanted.Holder.Machine, 255),
                Pid = (uint)wanted.Holder.Pid,
                Process = wanted.Holder.Process,
                Purpose = BoundedText.Cut(wanted.Purpose, 200),
                DeploymentId = wanted.Deployment?.Value ?? "",
            },
            Duration = Duration.FromTimeSpan(wanted.Duration),
            Step = BoundedText.Cut(wanted.Step, 300),
            Wait = Duration.FromTimeSpan(timings.WaitForEarlier),
        };
        var answer = await AskAsync(
            agent,
            wanted.App,
            leases => leases.AcquireLeaseAsync(request, deadline: channels.Deadline(timings.WaitForEarlier + timings.CallDeadline), cancellationToken: cancellation),
            cancellation);
        return answer is LeaseAnswer.Refused { Error.Reason: Execution.Refusals.LeaseHeld } refused
            ? refused with { Held = await HolderAtAsync(agent, wanted.App, cancellation) }
            : answer;
    }

    /// <inheritdoc/>
    public Task<LeaseAnswer> RenewAsync(AgentAddress agent, AppName app, string step, CancellationToken cancellation)
    {
        var request = new RenewLeaseRequest { App = app.Value, FencingToken = TokenAt(agent), Step = BoundedText.Cut(step, 300) };
        return AskAsync(
            agent, app, leases => leases.RenewLeaseAsync(request, deadline: channels.Deadline(timings.CallDeadline), cancellationToken: cancellation), cancellation);
    }

    /// <inheritdoc/>
    public async Task ReleaseAsync(AgentAddress agent, AppName app)
    {
        if (!tokens.TryRemove(agent, out var token)) return;
        try
        {
            await Client(agent).ReleaseLeaseAsync(new ReleaseLeaseRequest { App = app.Value, FencingToken = token }, deadline: channels.Deadline(timings.CallDeadline));
        }
        // It expires.
        catch (RpcException)
        {
        }
    }

    /// <inheritdoc/>
    public async Task<OperatorError?> UnlockAsync(AgentAddress agent, HeldLease held, string by, string reason, CancellationToken cancellation)
    {
        var (_, error) = await LeaseCalls.UnlockAsync(Client(agent), held.App, held.Token.ToWire(), by, reason, channels.Deadline(timings.CallDeadline), cancellation);
        return error;
    }

    private async Task<LeaseAnswer> AskAsync(
        AgentAddress agent, AppName app, Func<Leases.LeasesClient, AsyncUnaryCall<Lease>> ask, CancellationToken cancellation)
    {
        try
        {
            var lease = await ask(Client(agent));
            tokens[agent] = lease.FencingToken;
            return new LeaseAnswer.Ours();
        }
        catch (RpcException exception)
        {
            cancellation.ThrowIfCancellationRequested();
            var error = AgentErrors.Of(exception, agent).With("app", app.Value);
            return AgentErrors.IsUnknown(exception, error) ? new LeaseAnswer.Unknown(error) : new LeaseAnswer.Refused(error, null);
        }
    }

    private async Task<HeldLease?> HolderAtAsync(AgentAddress agent, AppName app, CancellationToken cancellation)
    {
        try
        {
            var known = await Client(agent).ListLeasesAsync(
                new ListLeasesRequest { App = app.Value }, deadline: channels.Deadline(timings.CallDeadline), cancellationToken: cancellation);
            return known.Leases.FirstOrDefault() is { Remaining: not null } lease && FencingToken.TryRead(lease.FencingToken, out var token)
                ? new HeldLease(app, token, new LeaseProcess(lease.Holder.User, lease.Holder.Machine, (int)lease.Holder.Pid, lease.Holder.Process))
                : null;
        }
        catch (RpcException)
        {
            cancellation.ThrowIfCancellationRequested();
            return null;
        }
    }

    private Leases.LeasesClient Client(AgentAddress agent) => new(channels.To(agent));
}
