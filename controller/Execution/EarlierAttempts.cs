using Decant.Controller.Manifest;
using Decant.Controller.Planning;

namespace Decant.Controller.Execution;

/// <summary>What the journal says that a deployment has touched, against what is seen now. Pure.</summary>
internal static class EarlierAttempts
{
    /// <summary>Hosts that it touched, in that order.</summary>
    public static IReadOnlyList<TouchedEarlier> Of(IReadOnlyList<StepRecord> steps, DeploymentManifest manifest, FleetSurvey survey)
        => [.. steps
            .Where(s => IsCutover(s.Verb))
            .GroupBy(s => s.Host)
            .Where(h => manifest.Hosts.Any(m => m.Name == h.Key))
            .Select(h => new TouchedEarlier(
                h.Key,
                survey.RunningOn(h.Key)?.Release,
                [.. manifest.Balancers.Where(b => TookOut(h, b) && survey.IsTakenOut(b, h.Key)).Select(b => b.Key)]))];

    /// <summary>A step that touches what serves.</summary>
    public static bool IsCutover(string verb) => verb is "drain" or "stop" or "start" or "await-healthy" or "undrain";

    /// <summary>The plan without a migration that this deployment has run, and with one that it has begun where it was begun.</summary>
    public static Plan WithoutRepeatedMigration(Plan plan, IReadOnlyList<StepRecord> steps, DeploymentManifest manifest)
    {
        var migration = steps.LastOrDefault(s => s.Verb == "migrate");
        if (migration is null) return plan;
        if (steps.Any(s => s is { Verb: "migrate", End.Succeeded: true }))
            return plan with { Preparation = [.. plan.Preparation.Where(p => !p.Steps.Any(s => s is MigrateStep))] };

        // Only the agent that began it knows what became of it.
        var at = manifest.Hosts.Single(h => h.Name == migration.Host);
        return plan with
        {
            Preparation = [.. plan.Preparation.Select(p => p with { Steps = [.. p.Steps.Select(s => s is MigrateStep m ? m with { At = at, Host = at.Name, Agent = at.Agent } : s)] })],
        };
    }

    // Drained by this deployment, and not put back by it.
    private static bool TookOut(IEnumerable<StepRecord> steps, ManifestBalancer balancer)
    {
        var took = false;
        foreach (var step in steps)
        {
            if (step.Key == $"{step.Host}/drain/{balancer.Key}") took |= step.End?.State != StepState.Failed;
            if (step.Key == $"{step.Host}/undrain/{balancer.Key}" && step.End is { Succeeded: true }) took = false;
        }

        return took;
    }
}
