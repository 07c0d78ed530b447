using Decant.Agent.Configuration;
using Decant.Agent.Supervision;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>
/// Watches the workers that were there before a member was taken out. Requests in flight are theirs, and so are those whose body is still
/// being read and that will be sent to the member only then: the member is drained when they have ended. What they have in flight is known only
/// as their connections to it.
/// </summary>
internal sealed class NginxWatch(BalancerName balancer, BalancerSettings.Nginx settings, TableTimings timings, TimeProvider time) : ITableWatch
{
    private readonly long begun = time.GetTimestamp();
    private readonly Dictionary<ProcessIdentity, PidFd> old = [];

    /// <inheritdoc/>
    public async Task<TableLook> LookAsync(TableMember member, CancellationToken cancellation)
    {
        var master = await NginxMaster.FindAsync(balancer, settings, time, cancellation);
        // Somebody else's reload may have been under way when ours came: its workers become old a moment later.
        if (time.GetElapsedTime(begun) < timings.Settle || old.Count == 0) Remember(master);

        var left = old.Values.Where(w => !w.Exited.IsCompleted).Select(w => w.Identity.Pid).ToList();
        if (left.Count == 0) return new TableLook(0, IsOver: true, "");
        var targets = (await ProcessConnections.ResolveAsync(member.Address, cancellation)).ToHashSet();
        var seen = ProcessConnections.Of(left, targets);
        var pids = $"old nginx worker{(left.Count == 1 ? "" : "s")} {string.Join(", ", left)}";
        if (seen.Any(s => s is null))
        {
            return new TableLook(
                left.Count, IsOver: false, $"{pids} still ha{(left.Count == 1 ? "s" : "ve")} something in flight; the agent may not look into the processes, so each counts as one session (run it as root)");
        }

        var connections = seen.Sum(s => s!.Values.Sum());
        return new TableLook(
            connections,
            IsOver: false,
            connections == 0
                ? $"{pids} still ha{(left.Count == 1 ? "s" : "ve")} something in flight, but no connection to this member"
                : $"{connections} connections of {pids} lead to it still, and are cut when the instance stops; whether they are requests or websockets nginx does not say");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var worker in old.Values) worker.Dispose();
        old.Clear();
    }

    private void Remember(NginxMaster master)
    {
        foreach (var worker in master.Workers().Where(w => w.IsLeaving && !old.ContainsKey(w.Identity)))
        {
            if (PidFd.TryOpen(worker.Identity) is { } handle) old[worker.Identity] = handle;
        }
    }
}
