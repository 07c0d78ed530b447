namespace Decant.Controller.Manifest;

/// <summary>Who goes first, how long it is watched, and what is too bad.</summary>
/// <param name="Hosts">How many hosts are canaries.</param>
/// <param name="Weight">Their share of the traffic in hundredths of a full member's, 1 to 100.</param>
/// <param name="Bake">How long they are watched.</param>
/// <param name="Promote">What happens when they have proved themselves.</param>
/// <param name="Tolerance">How much worse than the rest they may be.</param>
public sealed record CanaryPolicy(HostShare Hosts, int Weight, TimeSpan Bake, Promotion Promote, CanaryTolerance Tolerance);

/// <summary>What happens when canaries have proved themselves.</summary>
public enum Promotion
{
    /// <summary>The deployment goes on.</summary>
    Auto,

    /// <summary>It waits for <c>decant promote</c>.</summary>
    Manual,
}

/// <summary>How much worse than the rest canaries may be.</summary>
/// <param name="ErrorPoints">Percentage points that their share of 5xx answers may be above the rest's.</param>
/// <param name="Slowdown">How many times the rest's average response time theirs may be.</param>
public sealed record CanaryTolerance(double ErrorPoints, double Slowdown);
