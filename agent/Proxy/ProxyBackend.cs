using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Proxy;

/// <summary>A backend: its members, and who of them gets the next request.</summary>
internal sealed class ProxyBackend(ProxyBackendSettings settings, TimeProvider time)
{
    private readonly Lock gate = new();
    private ProxyMember[] members = [];
    private volatile TaskCompletionSource changed = NewSignal();

    /// <summary>Its name.</summary>
    public MemberName Name => settings.Name;

    /// <summary>What its members are asked for; null: they are up when they accept connections.</summary>
    public string? CheckPath => settings.CheckPath;

    /// <summary>Host header of checks; null: the member's address.</summary>
    public string? CheckHost => settings.Hosts.Count > 0 ? settings.Hosts[0] : null;

    /// <summary>Between two checks of a member that is up.</summary>
    public TimeSpan CheckEvery => settings.CheckEvery;

    /// <summary>Completes at the next change of a member's state, or of what one that is out has in flight. Take it before looking.</summary>
    public Task Changed => changed.Task;

    /// <summary>Its members, in the order in which they came.</summary>
    public IReadOnlyList<ProxyMember> Members
    {
        get
        {
            lock (gate) return members;
        }
    }

    /// <summary>A member; null when it is not there.</summary>
    public ProxyMember? Find(MemberName name) => Members.FirstOrDefault(m => m.Name == name);

    /// <summary>
    /// The member for a request, which is counted in: smooth weighted round robin, so that a share of one in a hundred is just that, also
    /// when there is little to do.
    /// </summary>
    /// <param name="except">One that has just failed: only when there is no other.</param>
    /// <returns>Null when no member takes requests.</returns>
    public ProxyMember? Pick(ProxyMember? except = null)
    {
        lock (gate)
        {
            var chosen = Choose(except) ?? Choose(null);
            chosen?.Enter();
            return chosen;
        }
    }

    /// <summary>Wakes those who wait for a change.</summary>
    public void Signal() => Interlocked.Exchange(ref changed, NewSignal()).TrySetResult();

    /// <summary>Nobody could connect to a member.</summary>
    public void MarkDown(ProxyMember member, string why)
    {
        lock (gate)
        {
            if (!member.IsUp) return;
            member.IsUp = false;
            member.LastCheck = why;
            member.Check?.Wake();
        }

        Signal();
    }

    /// <summary>Takes over what a member's check found.</summary>
    public void Judge(ProxyMember member, MemberCheck by, bool isUp, string found)
    {
        bool differs;
        lock (gate)
        {
            if (member.Check != by) return;
            differs = member.IsUp != isUp;
            member.IsUp = isUp;
            member.LastCheck = found;
        }

        if (differs) Signal();
    }

    /// <summary>Closes the connections that no request uses, when it is still out and empty.</summary>
    public void CloseIdleConnections(ProxyMember member)
    {
        Upstream idle;
        lock (gate)
        {
            if (member.Wanted == MemberState.Ready || member.InFlight > 0) return;
            idle = member.Upstream;
            member.Upstream = new Upstream(idle.Address);
        }

        idle.Dispose();
    }

    /// <summary>Applies changes of members at once: no request sees a part of them.</summary>
    /// <param name="wanted">All members as they are to be; those that are not in it are gone.</param>
    /// <param name="up">Those of them that are known to be up.</param>
    public void Apply(IReadOnlyList<WantedMember> wanted, IReadOnlySet<MemberName> up)
    {
        var leftOver = new List<Upstream>();
        List<ProxyMember> gone;
        lock (gate)
        {
            var before = members;
            members = [.. wanted.Select(w => Take(before.FirstOrDefault(m => m.Name == w.Name), w, up.Contains(w.Name), leftOver))];
            gone = [.. before.Except(members)];
            foreach (var member in gone) Stop(member);
            foreach (var member in members) member.Turn = 0;
        }

        // Disposed when nobody uses them: a connection in use ends with its request.
        foreach (var member in gone) leftOver.Add(member.Upstream);
        foreach (var upstream in leftOver) upstream.Dispose();
        foreach (var member in Members.Where(m => m.Wanted != MemberState.Ready)) CloseIdleConnections(member);
        Signal();
    }

    private ProxyMember Take(ProxyMember? member, WantedMember wanted, bool isUp, List<Upstream> leftOver)
    {
        member ??= new ProxyMember(this, wanted.Name, new Upstream(wanted.Address));
        if (member.Upstream.Address != wanted.Address)
        {
            leftOver.Add(member.Upstream);
            member.Upstream = new Upstream(wanted.Address);
        }

        member.Weight = wanted.Weight;
        var begins = wanted.State == MemberState.Ready && member.Wanted != MemberState.Ready;
        member.Wanted = wanted.State;
        if (begins)
        {
            member.IsUp = isUp;
            member.LastCheck = isUp ? "reached" : "not reached yet";
            member.Check = MemberCheck.Start(this, member, time);
        }
        else if (wanted.State != MemberState.Ready)
        {
            Stop(member);
        }

        return member;
    }

    private static void Stop(ProxyMember member)
    {
        member.Check?.Dispose();
        member.Check = null;
    }

    private ProxyMember? Choose(ProxyMember? except)
    {
        ProxyMember? chosen = null;
        var total = 0;
        foreach (var member in members)
        {
            if (!member.TakesRequests || member == except) continue;
            total += member.Weight;
            member.Turn += member.Weight;
            if (chosen is null || member.Turn > chosen.Turn) chosen = member;
        }

        if (chosen is not null) chosen.Turn -= total;
        return chosen;
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>A member as it is to be.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">Where it is.</param>
/// <param name="Weight">1 to 100.</param>
/// <param name="State">Ready, draining or in maintenance.</param>
internal sealed record WantedMember(MemberName Name, MemberAddress Address, int Weight, MemberState State);
