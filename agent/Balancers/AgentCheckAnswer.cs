namespace Decant.Agent.Balancers;

/// <summary>What HAProxies are told of a slot when they ask (configuration manual, 5.2, <c>agent-check</c>).</summary>
/// <param name="State">Ready, draining or in maintenance: what somebody said.</param>
/// <param name="Weight">Share of the traffic in hundredths of a full member's.</param>
/// <param name="Version">Counts the changes: who was answered with it knows the latest.</param>
internal sealed record AgentCheckAnswer(MemberState State, int Weight, long Version)
{
    /// <summary>Of a slot of which nothing was said.</summary>
    public static readonly AgentCheckAnswer Default = new(MemberState.Ready, PutIn.FullWeight, 1);

    /// <summary>Whether it takes no new requests because somebody said so.</summary>
    public bool IsOut => State is MemberState.Draining or MemberState.Maintenance;

    /// <summary>
    /// The words for HAProxy. <c>ready</c> and <c>up</c> both: the first takes back <c>drain</c> and <c>maint</c>, the second <c>down</c>.
    /// One that drains may go on serving what it has, so it is never called down.
    /// </summary>
    /// <param name="whyDown">Why its instance does not serve; null when it does.</param>
    public string Words(string? whyDown) => State switch
    {
        MemberState.Draining => "drain",
        MemberState.Maintenance => "maint",
        _ when whyDown is not null => $"down #{whyDown}",
        _ => $"ready up {Weight}%",
    };
}
