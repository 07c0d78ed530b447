using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>A backend as its balancer sees it now.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Members">In the order of the balancer's configuration.</param>
/// <param name="MembersManaged">The agent makes members that are missing and changes their addresses.</param>
/// <param name="CountsAnswers">Answers, errors and response times of its members are real.</param>
internal sealed record Backend(string Name, IReadOnlyList<Member> Members, bool MembersManaged = false, bool CountsAnswers = false)
{
    /// <summary>A member; null when it is not there.</summary>
    public Member? Find(MemberName name) => Members.FirstOrDefault(m => m.Name == name.Value);
}

/// <summary>A member of a backend as its balancer sees it now.</summary>
internal sealed record Member
{
    public required string Name { get; init; }

    /// <summary>host:port that the balancer sends to.</summary>
    public string Address { get; init; } = "";

    public required MemberState State { get; init; }

    /// <summary>The balancer's own word.</summary>
    public required string Status { get; init; }

    /// <summary>Share of the traffic in hundredths of a full member's.</summary>
    public int Weight { get; init; }

    /// <summary>Requests and sessions that are in flight at it.</summary>
    public int Sessions { get; init; }

    /// <summary>Requests that wait for it.</summary>
    public int Queued { get; init; }

    public long SessionsTotal { get; init; }

    public long Responses5xx { get; init; }

    public long ConnectionErrors { get; init; }

    public long ResponseErrors { get; init; }

    /// <summary>Answers since the balancer's start; 0 where it does not count them.</summary>
    public long ResponsesTotal { get; init; }

    /// <summary>Average time to answer of the latest requests, in milliseconds; 0 where it is not measured.</summary>
    public double ResponseTimeMs { get; init; }

    /// <summary>In <see cref="ResponseTimeMs"/> each answer counts one part in so many, the first ones all the same; 0 when that is not known.</summary>
    public int ResponseTimeWindow { get; init; }

    /// <summary>Of <see cref="Sessions"/>: those that do not finish by themselves, where the balancer can tell.</summary>
    public int LongLived { get; init; }

    /// <summary>The balancer's last check.</summary>
    public string LastCheck { get; init; } = "";

    /// <summary>Whether it takes no new requests because somebody said so.</summary>
    public bool IsOut => State is MemberState.Draining or MemberState.Maintenance;

    /// <summary>In flight and waiting.</summary>
    public int Load => Sessions + Queued;

    /// <summary>For people: <c>web2 DOWN (L4CON Connection refused)</c>.</summary>
    public override string ToString() => LastCheck.Length == 0 ? $"{Name} {Status}" : $"{Name} {Status} ({LastCheck})";
}

/// <summary>Whether a member takes new requests, and why not.</summary>
internal enum MemberState
{
    Ready,
    Draining,
    Maintenance,

    /// <summary>Meant to be ready, but the balancer's own check fails.</summary>
    Down,
}
