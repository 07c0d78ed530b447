namespace Decant.Benchmarks.Comparison;

/// <summary>One way to deploy.</summary>
/// <param name="Name">In the table.</param>
internal abstract record Way(string Name)
{
    /// <summary>Debian packages that it needs, over those that every way needs.</summary>
    public virtual IReadOnlyList<string> Packages => [];

    /// <summary>Whether HAProxy is in front, and so can be watched.</summary>
    public virtual bool IsBehindHaproxy => true;

    /// <summary>Sets up the balancer and whatever the way lives on, and has the first release serve. Not measured.</summary>
    public abstract Task ServeAsync(ComparedFleet fleet, string archive, CancellationToken cancellation);

    /// <summary>What deploys the next release. Measured from its start to its end.</summary>
    public abstract DeployCommand Deploy(ComparedFleet fleet, string archive);

    /// <summary>The line with which the first cutover begins: staging and migration are over.</summary>
    public abstract bool BeginsCutover(string line);

    /// <summary>The line with which the last cutover ends.</summary>
    public abstract bool EndsCutover(string line);

    /// <summary>What the app itself takes for the cutovers of all hosts in this way's order, drains at the balancer not counted.</summary>
    public abstract TimeSpan Own(OwnTimes app);
}
