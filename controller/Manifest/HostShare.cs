namespace Decant.Controller.Manifest;

/// <summary>A number of hosts, or a share of those in the manifest.</summary>
public abstract record HostShare
{
    private HostShare()
    {
    }

    /// <summary>A number of hosts, 0 or more.</summary>
    public sealed record Count(int Hosts) : HostShare;

    /// <summary>A share of the hosts, 1 to 100.</summary>
    public sealed record Percent(int Share) : HostShare;

    /// <summary>How many hosts that is, a share rounded down, but at least one: for what is taken out.</summary>
    /// <param name="all">Hosts in the manifest.</param>
    public int AtMostOf(int all) => Math.Max(1, this is Percent percent ? all * percent.Share / 100 : ((Count)this).Hosts);

    /// <summary>How many hosts that is, a share rounded up: for what must stay.</summary>
    /// <param name="all">Hosts in the manifest.</param>
    public int AtLeastOf(int all) => this is Percent percent ? ((all * percent.Share) + 99) / 100 : ((Count)this).Hosts;
}
