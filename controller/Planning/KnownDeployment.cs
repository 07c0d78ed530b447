using Decant.Controller.Fleet;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>What should run, by the deployments that this machine has made.</summary>
/// <param name="Last">The one that made it so last; null: none is known.</param>
/// <param name="Releases">What each host was left with; hosts that no deployment reached are missing.</param>
/// <param name="Unfinished">The last one, when it runs or did not come to its end; null otherwise.</param>
/// <param name="IsCertain">What is known holds even when most hosts run something else.</param>
internal sealed record KnownDeployment(
    DeploymentId? Last, IReadOnlyDictionary<HostName, ReleaseId> Releases, UnfinishedDeployment? Unfinished = null, bool IsCertain = false)
{
    /// <summary>Nothing was deployed from here.</summary>
    public static KnownDeployment None { get; } = new(null, new Dictionary<HostName, ReleaseId>());
}

/// <summary>A deployment that runs, or did not come to its end.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Where">How far it got, for people: <c>deploy shop 1.2.0, stopped after drain web2 at edge</c>.</param>
/// <param name="Mend">The command that brings it to an end.</param>
/// <param name="Runs">Its controller is at it.</param>
/// <param name="Hosts">What it found on each of its hosts, and what it brings them.</param>
internal sealed record UnfinishedDeployment(
    DeploymentId Id, string Where, string Mend, bool Runs, IReadOnlyDictionary<HostName, (ReleaseId? From, ReleaseId? To)> Hosts);
