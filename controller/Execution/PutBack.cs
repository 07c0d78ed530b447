using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;

namespace Decant.Controller.Execution;

/// <summary>
/// The end of a cutover that was stopped after the new instance had been started: what runs is what is wanted, but the host is
/// still out of rotation. Pure.
/// </summary>
internal static class PutBack
{
    /// <summary>Adds, as first wave, the hosts that a plan leaves alone although an earlier attempt left what serves there out of rotation.</summary>
    public static Plan AddTo(Plan plan, DeploymentManifest manifest, FleetSurvey survey, IReadOnlyList<TouchedEarlier> earlier)
    {
        var planned = plan.Waves.SelectMany(w => w.Hosts).Select(h => h.Host).ToHashSet();
        var missing = earlier
            .Select(e => (e.Host, Serves: survey.ServingOn(manifest, e.Host, plan.Release), e.Out))
            .Where(m => m.Serves is { } serves && m.Out.Any(o => o.Slot == serves.Slot.Name) && !planned.Contains(m.Host))
            .ToList();
        if (missing.Count == 0) return plan;
        var wave = new Wave(1, [.. missing.Select(m => new HostCutover(
            m.Host, m.Serves!.Release, m.Serves.Release, "first: was left out of rotation", StepsOf(manifest, survey, m.Host, m.Serves)))]);
        return plan with
        {
            Waves = [wave, .. plan.Waves.Select(w => w with { Number = w.Number + 1 })],
            Untouched = [.. plan.Untouched.Where(u => missing.All(m => m.Host != u.Host))],
        };
    }

    private static IReadOnlyList<Step> StepsOf(DeploymentManifest manifest, FleetSurvey survey, HostName name, RunningInstance serves)
    {
        var host = manifest.Hosts.Single(h => h.Name == name);
        var view = HostView.Of(manifest, survey.Fleet, host, survey.InstancesOn(name), serves.Release);
        return new HostCutoverPlanning(manifest, survey.Fleet, view).Make(serves.Slot, serves.Release, 0, isRollback: false).All;
    }
}
