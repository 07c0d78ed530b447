using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>
/// Decides what is going to be done, from the manifest and what the agents say is there. Pure: no clock, no randomness,
/// nothing is asked or touched. The same input gives the same plan.
/// </summary>
public static class Planner
{
    /// <summary>A release is to run on every host of the manifest.</summary>
    /// <param name="manifest">The manifest.</param>
    /// <param name="fleet">As it is now.</param>
    /// <param name="release">What is to run.</param>
    /// <param name="scope">Which part of it; null: all, from the beginning.</param>
    /// <returns>Made, or Refused when a host is unreachable or too few would be left in rotation; a plan that touches some of the hosts only is not made.</returns>
    public static PlanResult MakeDeployment(DeploymentManifest manifest, FleetObservation fleet, ReleaseId release, DeploymentScope? scope = null)
        => DeploymentPlanning.Make(manifest, fleet, release, scope ?? DeploymentScope.Whole);

    /// <summary>Hosts go back to what they ran before, after a deployment failed.</summary>
    /// <param name="manifest">The manifest of that deployment.</param>
    /// <param name="fleet">As it is now, after the failure.</param>
    /// <param name="hosts">In the order in which they go back: the reverse of that in which they were touched.</param>
    /// <returns>Made; Partial when some hosts cannot go back; Refused when none can.</returns>
    public static PlanResult MakeRollback(DeploymentManifest manifest, FleetObservation fleet, IReadOnlyList<HostRollback> hosts)
        => RollbackPlanning.Make(manifest, fleet, hosts);

    /// <summary>Every host goes back to its last good release; hosts that have none are left alone.</summary>
    /// <returns>Made, or Refused when a host is unreachable or has its last good release no more.</returns>
    public static PlanResult MakeRollbackToLastGood(DeploymentManifest manifest, FleetObservation fleet)
        => RollbackPlanning.MakeToLastGood(manifest, fleet);
}
