using System.Globalization;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Leases;

/// <summary>What callers are told of leases that they do not have.</summary>
internal static class LeaseErrors
{
    /// <summary>Somebody else holds the lease.</summary>
    public static OperatorException Held(Lease lease, TimeSpan remaining) => new(WithFacts(
        new OperatorError(
            StatusCode.FailedPrecondition,
            "LEASE_HELD",
            $"{lease.App} is being changed by {lease.Describe()}",
            string.Create(
                CultureInfo.InvariantCulture,
                $"wait for it; if its controller is dead, the lease ends in {Math.Ceiling(remaining.TotalSeconds)} s; `decant unlock --reason TEXT` takes it away")),
        lease));

    /// <summary>The caller's lease is not the newest.</summary>
    /// <param name="app">Whose lease; null: the call named no app.</param>
    /// <param name="token">The caller's.</param>
    /// <param name="page">What the book has of the app; null: nothing.</param>
    /// <param name="isHeld">Its lease is held.</param>
    public static OperatorException Lost(AppName? app, FencingToken token, LeasePage? page, bool isHeld)
    {
        var why = page switch
        {
            null => "this agent gave no such lease, or has lost its database since",
            { Unlocked: { } unlocked } when unlocked.Token == token => $"{unlocked.By} took it away at {unlocked.At:yyyy-MM-dd HH:mm:ss} UTC: {unlocked.Reason}",
            { Lease.Token: var its } when its == token => "it was given back, or the app was changed without a lease after it had expired",
            _ when isHeld => $"it is held by {page.Lease.Describe()}",
            _ => $"it went to {page.Lease.Describe()}",
        };
        var error = new OperatorError(
            StatusCode.FailedPrecondition,
            "LEASE_LOST",
            $"the lease{(app is null ? "" : $" of {app}")} with token {token} is lost: {why}",
            "change nothing more; look at `decant status`, then take the lease again");
        return new OperatorException(page is null ? error : WithFacts(error, page.Lease));
    }

    /// <summary>Another lease is there than the one that was to be taken away.</summary>
    public static OperatorException Changed(AppName app, FencingToken expected, LeasePage? page) => new(new OperatorError(
        StatusCode.FailedPrecondition,
        "LEASE_CHANGED",
        page is null || page.IsOver
            ? $"the lease of {app} with token {expected} is over: nobody holds it"
            : $"the lease of {app} with token {expected} is over: it is held by {page.Lease.Describe()}, with token {page.Lease.Token}",
        "look again before you take it away"));

    /// <summary>An earlier holder's operations go on.</summary>
    public static OperatorException OperationsRunning(AppName app, string operations, TimeSpan waited) => new(new OperatorError(
        StatusCode.FailedPrecondition,
        "OPERATIONS_RUNNING",
        string.Create(CultureInfo.InvariantCulture, $"{app} is still being changed: {operations} did not end within {waited.TotalSeconds:0.###} s"),
        "try again when it has ended (`decant status` shows it), or cancel it by Operations.CancelOperation"));

    private static OperatorError WithFacts(OperatorError error, Lease lease) => error
        .With("app", lease.App.Value)
        .With("holder", lease.Holder.Describe())
        .With("since", lease.AcquiredAt.ToString("O", CultureInfo.InvariantCulture))
        .With("step", lease.Step)
        .With("deployment", lease.Holder.Deployment?.Value ?? "");
}
