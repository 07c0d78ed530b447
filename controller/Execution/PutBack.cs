using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Execution;

/// <summary>
/// The end of a cutover that was stopped after the new instance had been started: what runs is what is wanted, but the host is
/// still out of rotation. Pure.
/// </summary>
internal static class PutBack
{
    /// <summary>The scope, with the hosts of which deployments left what serves there out of rotation.</summary>
    public static DeploymentScope AddTo(
        DeploymentScope scope, ReleaseId release, DeploymentManifest manifest, FleetSurvey survey, IReadOnlyList<TouchedEarlier> earlier) => scope with
        {
            LeftOut = earlier
                .Where(e => survey.ServingOn(manifest, e.Host, release) is { } serves && e.Out.Any(o => o.Slot == serves.Slot.Name))
                .Select(e => e.Host)
                .ToHashSet(),
        };
}
