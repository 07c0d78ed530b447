namespace Decant.Agent.Balancers;

/// <summary>
/// The runtime API of the HAProxy behind a stats socket. All users share one connection to the process that serves now, since the
/// stats socket takes only ten at a time by default; a connection lives as long as somebody uses it.
/// </summary>
internal sealed class HaproxyRuntime(string path, HaproxyTimings timings, TimeProvider time) : IDisposable
{
    private readonly SemaphoreSlim opening = new(1, 1);
    private readonly Lock gate = new();
    private readonly Dictionary<HaproxySession, int> users = [];
    private HaproxySession? current;

    /// <summary>A connection to the process that serves now.</summary>
    /// <param name="instead">One that was found to be broken or a process on its way out: not this one.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="HaproxyGoneException">HAProxy does not answer.</exception>
    public async Task<HaproxyUse> ConnectAsync(HaproxySession? instead, CancellationToken cancellation)
    {
        await opening.WaitAsync(cancellation);
        try
        {
            lock (gate)
            {
                if (current is { IsBroken: false } shared && shared != instead && users.ContainsKey(shared)) return Use(shared);
            }

            var opened = await HaproxySession.OpenAsync(path, timings, time, cancellation);
            lock (gate)
            {
                current = opened;
                return Use(opened);
            }
        }
        finally
        {
            opening.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => opening.Dispose();

    private HaproxyUse Use(HaproxySession session)
    {
        users[session] = users.GetValueOrDefault(session) + 1;
        return new HaproxyUse(session, Leave);
    }

    private void Leave(HaproxySession session)
    {
        lock (gate)
        {
            if (--users[session] > 0) return;
            users.Remove(session);
        }

        session.Dispose();
    }
}

/// <summary>The use of a connection; dispose it to leave.</summary>
internal sealed class HaproxyUse(HaproxySession session, Action<HaproxySession> leave) : IDisposable
{
    private int left;

    /// <summary>The connection.</summary>
    public HaproxySession Session => session;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref left, 1) == 0) leave(session);
    }
}
