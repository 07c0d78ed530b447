using Decant.Agent.Operations;
using Decant.Errors;

namespace Decant.Agent.Leases;

/// <summary>Waits for what was begun before a lease was given: nothing else may change the app when its holder begins.</summary>
internal sealed class EarlierOperations(LeaseBook book, OperationRunner runner, TimeProvider time)
{
    /// <summary>Waits; the lease is kept meanwhile.</summary>
    /// <param name="lease">Given already, so that nothing more can begin under an earlier one.</param>
    /// <param name="wait">How long.</param>
    /// <param name="cancellation">The caller hung up; the lease expires if he does not come back.</param>
    /// <exception cref="OperatorException">OPERATIONS_RUNNING: the lease was given back.</exception>
    public async Task AwaitAsync(Lease lease, TimeSpan wait, CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        while (true)
        {
            var running = runner.WorkOf(lease.App).Where(w => Concerns(lease, w)).ToList();
            if (running.Count == 0) return;
            var left = wait - time.GetElapsedTime(begun);
            if (left <= TimeSpan.Zero)
            {
                book.Release(lease.App, lease.Token);
                throw LeaseErrors.OperationsRunning(lease.App, string.Join(", ", running.Select(w => $"{w.Record.Kind} ({w.Record.Id})")), wait);
            }

            var renewal = lease.Duration / 3;
            await Task.WhenAny(
                Task.WhenAll(running.Select(w => w.Work)), Task.Delay(left < renewal ? left : renewal, time, cancellation));
            cancellation.ThrowIfCancellationRequested();
            book.Renew(lease.App, lease.Token, "", null);
        }
    }

    private static bool Concerns(Lease lease, RunningWork work)
        => work.Token != lease.Token
            && LeaseRules.Of(work.Record.Kind) == LeaseRule.Respects
            // Whoever goes on with a deployment joins its migration.
            && !(work.Record.Kind == OperationKind.Migrate && work.Record.Deployment is { } deployment && deployment == lease.Holder.Deployment);
}
