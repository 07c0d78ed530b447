using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>
/// Where a rollback goes that names no version. After a deployment that ended well every host goes to its own last good release. One
/// that did not end is undone and no more: the hosts that it never touched run what they are meant to, and their last good release is
/// an older one. Pure.
/// </summary>
internal static class WayBack
{
    /// <summary>The plan.</summary>
    /// <param name="manifest">The manifest.</param>
    /// <param name="survey">What is seen now.</param>
    /// <param name="last">The app's last deployment; null when the journal knows none.</param>
    /// <param name="steps">Its steps.</param>
    /// <exception cref="OperatorException">NOTHING_TO_ROLL_BACK_TO.</exception>
    public static PlanResult Plan(
        DeploymentManifest manifest, FleetSurvey survey, DeploymentRecord? last, IReadOnlyList<StepRecord> steps)
    {
        if (last is not { IsUnfinished: true }) return Planner.MakeRollbackToLastGood(manifest, survey.Fleet);
        return last.Intent == PlanIntent.Rollback ? Finish(manifest, survey, last) : Undo(manifest, survey, last, steps);
    }

    /// <summary>A rollback that did not end goes on: its hosts that are back already must not go forward again.</summary>
    public static PlanResult Finish(DeploymentManifest manifest, FleetSurvey survey, DeploymentRecord rollback)
        => Planner.MakeRollback(manifest, survey.Fleet, [.. rollback.Cutovers.Select(c => new HostRollback(c.Host, c.To, "was to go back"))]);

    private static PlanResult Undo(DeploymentManifest manifest, FleetSurvey survey, DeploymentRecord deployment, IReadOnlyList<StepRecord> steps)
    {
        // Capacity first, as in an automatic rollback: hosts that serve nothing, then the last one touched.
        var touched = EarlierAttempts.Of(steps, manifest, survey)
            .Reverse()
            .Select(t => (Cutover: deployment.Cutovers.Single(c => c.Host == t.Host), t.Out))
            // A repair starts what should run: that is left running.
            .Where(t => deployment.Intent == PlanIntent.Deploy || t.Cutover.From is not null)
            .OrderBy(t => survey.ServingOn(manifest, t.Cutover.Host, t.Cutover.From) is { Healthy: true } serves && t.Out.All(o => o.Slot != serves.Slot.Name))
            .Select(t => t.Cutover)
            .ToList();
        if (touched.Count == 0) throw new OperatorException(NothingTouched(deployment));
        return Planner.MakeRollback(
            manifest,
            survey.Fleet,
            [.. touched.Select(c => new HostRollback(c.Host, c.From, $"was touched by deployment {deployment.Id}", c.Slot))]);
    }

    private static OperatorError NothingTouched(DeploymentRecord deployment) => new(
        StatusCode.FailedPrecondition,
        Refusals.NothingToRollBackTo,
        $"the last deployment of {deployment.App}, {deployment.Id}, touched no instance: every host runs what it ran before",
        "name the version to go to an earlier release all the same: decant rollback --to VERSION");
}
