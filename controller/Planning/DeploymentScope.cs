using Decant.Controller.Fleet;

namespace Decant.Controller.Planning;

/// <summary>Which part of a deployment is planned.</summary>
/// <param name="Only">These hosts; null: all of the manifest.</param>
/// <param name="Canary">How far its canaries have got; null: it begins.</param>
public sealed record DeploymentScope(IReadOnlySet<HostName>? Only, CanaryProgress? Canary)
{
    /// <summary>Hosts of which a deployment has left what serves there out of rotation.</summary>
    public IReadOnlySet<HostName> LeftOut { get; init; } = new HashSet<HostName>();

    /// <summary>All of it, from the beginning.</summary>
    public static DeploymentScope Whole { get; } = new(null, null);
}

/// <summary>How far the canaries of a deployment have got, when it is planned again.</summary>
/// <param name="Canaries">Hosts that were chosen as canaries.</param>
/// <param name="Promoted">They have proved themselves, or the operator said so: the rest follows without a gate.</param>
public sealed record CanaryProgress(IReadOnlyList<HostName> Canaries, bool Promoted);
