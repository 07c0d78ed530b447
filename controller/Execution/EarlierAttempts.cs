using Decant.Controller.Manifest;
using Decant.Controller.Planning;

namespace Decant.Controller.Execution;

/// <summary>What the journal says that deployments have touched, against what is seen now. Pure.</summary>
internal static class EarlierAttempts
{
    /// <summary>Hosts that were touched, in that order.</summary>
    public static IReadOnlyList<TouchedEarlier> Of(IReadOnlyList<StepRecord> steps, DeploymentManifest manifest, FleetSurvey survey)
        => [.. steps
            .Where(s => IsCutover(s.Verb))
            .SelectMany(s => s.Hosts)
            .Distinct()
            .Where(h => manifest.Hosts.Any(m => m.Name == h))
            .Select(h => new TouchedEarlier(
                h,
                survey.InstancesOn(h),
                [.. TakenOut(steps).Where(seat => seat.Host == h
                    && manifest.Balancers.FirstOrDefault(b => b.Key == seat.Balancer) is { } balancer && survey.IsTakenOut(balancer, h, seat.Slot))]))];

    /// <summary>A step that touches what serves.</summary>
    public static bool IsCutover(string verb)
        => verb is "drain" or "stop" or "start" or "await-healthy" or "undrain" or "move" or "retire" or "keep" or "remove-member";

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

    // Taken out by them, and not put back.
    private static HashSet<MemberSeat> TakenOut(IReadOnlyList<StepRecord> steps)
    {
        var taken = new HashSet<MemberSeat>();
        foreach (var step in steps)
        {
            if (step.End is not { ChangedNothing: true }) taken.UnionWith(step.TakesOut);
            if (step.End is { Succeeded: true }) taken.ExceptWith(step.PutsIn);
        }

        return taken;
    }
}
