using Decant.Controller.Manifest;
using Decant.Controller.Planning;

namespace Decant.Controller.Execution;

/// <summary>
/// The end of a cutover that was stopped after the new instance had been started: what runs is what is wanted, but the host is
/// still out of rotation. Pure.
/// </summary>
internal static class PutBack
{
    /// <summary>Adds, as first wave, the hosts that a plan leaves alone although an earlier attempt left them out of rotation.</summary>
    public static Plan AddTo(Plan plan, DeploymentManifest manifest, IReadOnlyList<TouchedEarlier> earlier)
    {
        var planned = plan.Waves.SelectMany(w => w.Hosts).Select(h => h.Host).ToHashSet();
        var missing = earlier.Where(e => e.DrainedAt.Count > 0 && e.Runs is not null && !planned.Contains(e.Host)).ToList();
        if (missing.Count == 0) return plan;
        var wave = new Wave(1, [.. missing.Select(e => new HostCutover(
            e.Host,
            e.Runs,
            e.Runs,
            "first: was left out of rotation",
            ReplaceCutover.PutBack(manifest, manifest.Hosts.Single(h => h.Name == e.Host), e.Runs!)))]);
        return plan with
        {
            Waves = [wave, .. plan.Waves.Select(w => w with { Number = w.Number + 1 })],
            Untouched = [.. plan.Untouched.Where(u => missing.All(m => m.Host != u.Host))],
        };
    }
}
