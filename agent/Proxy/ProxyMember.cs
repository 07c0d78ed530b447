using Decant.Agent.Balancers;
using Decant.Names;

namespace Decant.Agent.Proxy;

/// <summary>
/// A member of a backend: where it is, whether it takes requests, and what it has in flight. What the operator decides (state, weight, address)
/// is changed by its backend only, under the backend's lock; a request is counted in under the same lock, so that a member that was taken
/// out gets none, and its count is exact from that moment on.
/// </summary>
internal sealed class ProxyMember(ProxyBackend backend, MemberName name, Upstream upstream)
{
    private readonly HashSet<LongLivedConnection> longLived = [];
    private int inFlight;

    /// <summary>Its name.</summary>
    public MemberName Name => name;

    /// <summary>Connections to where it is.</summary>
    public Upstream Upstream { get; set; } = upstream;

    /// <summary>1 to 100.</summary>
    public int Weight { get; set; } = PutIn.FullWeight;

    /// <summary>Ready, draining or in maintenance: as the operator wants it.</summary>
    public MemberState Wanted { get; set; } = MemberState.Draining;

    /// <summary>It accepts connections, and its check passes.</summary>
    public bool IsUp { get; set; }

    /// <summary>What its last check found.</summary>
    public string LastCheck { get; set; } = "";

    /// <summary>Its place in the weighted round robin.</summary>
    public int Turn { get; set; }

    /// <summary>Looks at it as long as it is wanted ready; null: nobody does.</summary>
    public MemberCheck? Check { get; set; }

    /// <summary>Answers and errors since the proxy's start.</summary>
    public MemberCounters Counters { get; } = new();

    /// <summary>Requests in flight, long-lived connections included.</summary>
    public int InFlight => Volatile.Read(ref inFlight);

    /// <summary>Takes new requests.</summary>
    public bool TakesRequests => Wanted == MemberState.Ready && IsUp;

    /// <summary>As it is: down when it is wanted ready and is not up.</summary>
    public MemberState State => Wanted == MemberState.Ready && !IsUp ? MemberState.Down : Wanted;

    /// <summary>A request begins. Under the backend's lock only.</summary>
    public void Enter() => Interlocked.Increment(ref inFlight);

    /// <summary>A request has ended.</summary>
    public void Leave()
    {
        var left = Interlocked.Decrement(ref inFlight);
        if (Wanted == MemberState.Ready) return;
        // Idle connections would make its server wait for their end when it is stopped.
        if (left == 0) backend.CloseIdleConnections(this);
        backend.Signal();
    }

    /// <summary>Nobody could connect to it: it gets no requests until its check has reached it.</summary>
    public void MarkDown(string why) => backend.MarkDown(this, why);

    /// <summary>A connection turned out to be one that does not finish by itself.</summary>
    public void Add(LongLivedConnection connection)
    {
        lock (longLived) longLived.Add(connection);
        if (Wanted != MemberState.Ready) backend.Signal();
    }

    /// <summary>It has ended.</summary>
    public void Remove(LongLivedConnection connection)
    {
        lock (longLived) longLived.Remove(connection);
    }

    /// <summary>The connections that do not finish by themselves.</summary>
    public IReadOnlyList<LongLivedConnection> LongLived
    {
        get
        {
            lock (longLived) return [.. longLived];
        }
    }
}
