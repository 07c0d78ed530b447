using Decant.Errors;
using Decant.Names;
using Decant.V1;
using Grpc.Core;

namespace Decant.Controller.Fleet;

/// <summary>The call that takes a lease away, for deployments and for people.</summary>
internal static class LeaseCalls
{
    /// <summary>Takes the lease of an app away from its holder.</summary>
    /// <param name="agent">Whose host.</param>
    /// <param name="app">The app.</param>
    /// <param name="token">Only this lease; 0: whichever is there.</param>
    /// <param name="by">Who does it.</param>
    /// <param name="reason">Why.</param>
    /// <param name="deadline">When it must have answered.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>What was done, or why it was not.</returns>
    public static async Task<(OperationResult? Result, OperatorError? Error)> UnlockAsync(
        Leases.LeasesClient agent, AppName app, ulong token, string by, string reason, DateTime deadline, CancellationToken cancellation)
    {
        var request = new UnlockRequest
        {
            Operation = new OperationRef { Id = $"unlock/{Guid.NewGuid()}" },
            App = app.Value,
            LeaseToken = token,
            By = by.Length <= 255 ? by : by[..255],
            Reason = reason,
        };
        try
        {
            using var call = agent.Unlock(request, deadline: deadline, cancellationToken: cancellation);
            await foreach (var item in call.ResponseStream.ReadAllAsync(cancellation))
            {
                if (item.Finished is { Error: { } error }) return (null, OperatorError.FromStatus(error));
                if (item.Finished is { } finished) return (finished.Result, null);
            }

            return (null, new OperatorError(StatusCode.Unavailable, "STREAM_ENDED", "the agent stopped telling before the end", "see `decant status`"));
        }
        catch (RpcException exception)
        {
            cancellation.ThrowIfCancellationRequested();
            return (null, OperatorError.FromRpc(exception));
        }
    }
}
