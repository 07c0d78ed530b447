using Decant.Agent.Balancers;
using Decant.Names;

namespace Decant.Agent.Proxy;

/// <summary>
/// Changes the members of backends, one change at a time: waits until what is put in is up, writes the new state down, and applies it at once.
/// What could not be written down is not applied.
/// </summary>
internal sealed class ProxyChanges(ProxyBackends backends, ProxyStateFile file, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);
    private readonly SemaphoreSlim changing = new(1, 1);

    /// <summary>Applies a change.</summary>
    /// <returns>False when everything was so already.</returns>
    /// <exception cref="ProxyRefusalException">Nothing was changed.</exception>
    public async Task<bool> ApplyAsync(MemberName name, ProxyChange change, CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        while (true)
        {
            ProxyRefusalException obstacle;
            await changing.WaitAsync(cancellation);
            try
            {
                var backend = change.Into.Count > 0 ? backends.Get(name) : backends.Find(name) ?? throw backends.NotFound(name);
                var wanted = change.Of(backend);
                var notUp = await FindNotUpAsync(backend, change, cancellation);
                if (wanted is null && notUp is null) return false;
                if ((notUp ?? TooFew(backend, change)) is not { } refusal)
                {
                    // Apart from here: this may be a thread that polls sockets, and a disk can be slow.
                    var state = backends.All.Select(b => new SavedBackend(b.Name, b == backend ? wanted! : Saved(b))).ToList();
                    await Task.Run(() => file.Write(state), cancellation);
                    backend.Apply(wanted!, change.Into.Select(m => m.Member).ToHashSet());
                    return true;
                }

                obstacle = refusal;
            }
            finally
            {
                changing.Release();
            }

            var left = change.Deadline - time.GetElapsedTime(begun);
            if (left <= TimeSpan.Zero) throw obstacle;
            await Task.Delay(left < Look ? left : Look, time, cancellation);
        }
    }

    /// <summary>Members as they were when the proxy ended.</summary>
    public void Restore()
    {
        foreach (var saved in file.Read())
        {
            if (backends.Find(saved.Name) is not null || backends.CanMake(saved.Name))
                backends.Get(saved.Name).Apply(saved.Members, saved.Members.Select(m => m.Name).ToHashSet());
        }
    }

    /// <inheritdoc/>
    public void Dispose() => changing.Dispose();

    private static IReadOnlyList<WantedMember> Saved(ProxyBackend backend)
        => [.. backend.Members.Select(m => new WantedMember(m.Name, m.Upstream.Address, m.Weight, m.Wanted))];

    private async Task<ProxyRefusalException?> FindNotUpAsync(ProxyBackend backend, ProxyChange change, CancellationToken cancellation)
    {
        foreach (var member in change.Into)
        {
            var seen = backend.Find(member.Member);
            if (seen is { TakesRequests: true }) continue;
            if ((member.Address ?? seen?.Upstream.Address) is not { } address) continue;
            var (healthy, found) = await MemberCheck.ProbeAsync(address, backend.CheckPath, backend.CheckHost, time, cancellation);
            if (healthy && seen is not { Wanted: MemberState.Ready }) continue;
            // One that is in already is judged by its own check, at the latest in a moment.
            return new ProxyRefusalException(
                "MEMBER_NOT_UP",
                $"{backend.Name}/{member.Member} is not up at {address}: {found}; nothing was changed",
                backend.CheckPath is null ? "see whether the instance listens there" : $"see what the instance answers to {backend.CheckPath}");
        }

        return null;
    }

    private static ProxyRefusalException? TooFew(ProxyBackend backend, ProxyChange change)
    {
        // Those that are not up themselves take nothing away.
        if (change.MinOthersUp == 0 || !backend.Members.Any(m => change.OutOf.Contains(m.Name) && m.TakesRequests)) return null;
        var others = backend.Members.Where(m => !change.OutOf.Contains(m.Name)).ToList();
        var up = others.Count(m => m.TakesRequests);
        return up >= change.MinOthersUp ? null : new ProxyRefusalException(
            "TOO_FEW_IN_ROTATION",
            $"{string.Join(", ", change.OutOf)} stays in: {up} of the other members of {backend.Name} are up, {change.MinOthersUp} are asked for: "
            + (others.Count == 0 ? "there are no others" : string.Join(", ", others.Select(m => $"{m.Name} {m.State.ToString().ToUpperInvariant()}"))),
            "bring the others up, or ask for fewer");
    }
}
