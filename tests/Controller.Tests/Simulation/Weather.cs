namespace Decant.Controller.Tests.Simulation;

/// <summary>How often what goes wrong, in thousandths: of calls for the network, of events for everything else.</summary>
internal sealed record Weather
{
    /// <summary>Nothing goes wrong.</summary>
    public static Weather Calm { get; } = new();

    /// <summary>A request never arrives.</summary>
    public int LosesRequests { get; init; }

    /// <summary>It is done, and the answer never arrives.</summary>
    public int LosesReplies { get; init; }

    /// <summary>The answer comes many seconds later.</summary>
    public int DelaysReplies { get; init; }

    /// <summary>A request arrives a second time, some seconds later.</summary>
    public int RepeatsRequests { get; init; }

    /// <summary>An agent says no before it does anything.</summary>
    public int Refuses { get; init; }

    /// <summary>An agent's process dies, and starts again some time later.</summary>
    public int KillsAgents { get; init; }

    /// <summary>Nobody reaches an agent for a while, which goes on working.</summary>
    public int Partitions { get; init; }

    /// <summary>A balancer does not answer its agent for a while; it goes on serving.</summary>
    public int HangsBalancers { get; init; }

    /// <summary>When traffic has moved at one balancer, another falls silent: the host is half way.</summary>
    public int SplitsMoves { get; init; }

    /// <summary>An instance's process dies; its agent starts it again.</summary>
    public int KillsInstances { get; init; }

    /// <summary>A process that is started never becomes healthy, dies at once, or says that it is healthy and does not serve.</summary>
    public int SpoilsStarts { get; init; }

    /// <summary>A mixture, from a breeze to a storm.</summary>
    public static Weather At(Random random)
    {
        int Up(int most) => random.Next(3) == 0 ? random.Next(most + 1) : 0;
        return new Weather
        {
            LosesRequests = Up(60),
            LosesReplies = Up(60),
            DelaysReplies = Up(60),
            RepeatsRequests = Up(60),
            Refuses = Up(40),
            KillsAgents = Up(12),
            Partitions = Up(8),
            HangsBalancers = Up(12),
            SplitsMoves = Up(300),
            KillsInstances = Up(8),
            SpoilsStarts = Up(150),
        };
    }
}
