namespace Decant.Controller.Manifest;

/// <summary>How many hosts make a wave.</summary>
public abstract record BatchSize
{
    private BatchSize()
    {
    }

    /// <summary>A number of hosts, at least 1.</summary>
    public sealed record Count(int Hosts) : BatchSize;

    /// <summary>A share of the hosts, 1 to 100; rounded down, but at least one host.</summary>
    public sealed record Percent(int Share) : BatchSize;
}
