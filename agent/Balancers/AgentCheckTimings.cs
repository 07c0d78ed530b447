namespace Decant.Agent.Balancers;

/// <summary>How long HAProxies that ask are given, and how often is looked.</summary>
internal sealed record AgentCheckTimings
{
    /// <summary>Between two looks at who has asked and at the connections.</summary>
    public TimeSpan Look { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>So long there must be no connection, after everybody was told: a connection may be on its way.</summary>
    public TimeSpan Settle { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Until everybody has asked, where the caller sets no deadline.</summary>
    public TimeSpan Ask { get; init; } = TimeSpan.FromSeconds(30);
}
