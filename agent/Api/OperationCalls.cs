using Decant.Agent.Configuration;
using Decant.Agent.Operations;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>Answers a mutating call: begins (or joins) its operation and streams the events until the end.</summary>
internal sealed class OperationCalls(OperationRunner runner, OperationFollowers followers, AgentIdentity identity)
{
    /// <summary>
    /// Runs the operation and streams its events. The caller may hang up at any time; the operation goes on. Ends with the
    /// operation's error as the call's status when it did not succeed.
    /// </summary>
    public async Task RunAsync(
        OperationRequest request, OperationWork work, IServerStreamWriter<V1.OperationEvent> responses, ServerCallContext context)
    {
        using var follower = followers.Enter();
        var operation = runner.Begin(request, work);
        await SendAsync(operation, 0, responses, context.CancellationToken);
        if (operation.Record is { Error: { } error }) throw new OperatorException(error);
    }

    /// <summary>Streams the events of an operation behind a sequence number until its end.</summary>
    public async Task StreamAsync(
        RunningOperation operation, long after, IServerStreamWriter<V1.OperationEvent> responses, CancellationToken cancellation)
    {
        using var follower = followers.Enter();
        await SendAsync(operation, after, responses, cancellation);
    }

    private async Task SendAsync(
        RunningOperation operation, long after, IServerStreamWriter<V1.OperationEvent> responses, CancellationToken cancellation)
    {
        await foreach (var item in operation.FollowAsync(after, cancellation))
            await responses.WriteAsync(OperationMapping.ToMessage(item, identity.Host), cancellation);
    }
}
