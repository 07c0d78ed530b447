using Decant.Controller.Fleet;
using Decant.Controller.Planning;

namespace Decant.Controller.Execution;

/// <summary>
/// Walks a plan: preparation phase by phase, wave by wave, completion; passes over hosts that fail within the failure budget,
/// and undoes what was changed when it is spent. One instance runs one attempt of one deployment.
/// </summary>
internal sealed class DeploymentExecutor
{
    private readonly ExecutorParts parts;
    private readonly DeploymentRun run;
    private readonly StopSignal signal;
    private readonly EventStream events;
    private readonly StepRunner steps;
    private readonly Lock gate = new();
    private readonly Dictionary<HostName, HostAccount> accounts = [];
    // In the order in which they were touched first.
    private readonly List<HostAccount> touched = [];
    private readonly List<StepFailure> failures = [];
    private readonly List<StepFailure> warnings = [];
    private readonly HashSet<HostName> failedHosts = [];
    private StepResult? migration;

    /// <summary>Prepares an attempt.</summary>
    public DeploymentExecutor(ExecutorParts parts, DeploymentRun run, StopSignal signal)
    {
        (this.parts, this.run, this.signal) = (parts, run, signal);
        events = new EventStream(run.Id, parts.Time, parts.Sink);
        steps = new StepRunner(parts.Fleet, parts.Journal, events, parts.Time, parts.Options, run.Id, run.Attempt, signal);
        foreach (var host in run.Manifest.Hosts) accounts[host.Name] = new HostAccount(host.Name, run.Before.GetValueOrDefault(host.Name));
        foreach (var earlier in run.Earlier)
        {
            accounts[earlier.Host].Resume(earlier);
            touched.Add(accounts[earlier.Host]);
        }
    }

    private int Budget => run.Manifest.Strategy.FailureBudget;

    // Hosts that were to go back and cannot are left for a person: going forward again is no repair.
    private bool RollsBack => run.Manifest.Strategy.AutoRollback && run.Plan.Intent == PlanIntent.Deploy;

    private bool IsStopped => signal.Stop.IsCancellationRequested;

    /// <summary>Runs the attempt to its end. The deployment is journaled already; its end is journaled here.</summary>
    public async Task<DeploymentOutcome> RunAsync()
    {
        var start = parts.Time.GetTimestamp();
        using var stopping = signal.Stop.Register(() => events.Tell((at, id) => new StopRequested(at, id, steps.Running)));
        var status = await WalkAsync();
        if (steps.Fault is not null) status = DeploymentStatus.FailedPartly;

        var outcome = new OutcomeReport(run, status, [.. run.Manifest.Hosts.Select(h => accounts[h.Name])], failures, warnings, migration, steps.Fault).Outcome();
        parts.Journal.Update(run.Id, r => r with
        {
            Status = outcome.Status,
            EndedAt = parts.Time.GetUtcNow(),
            Message = outcome.Summary,
            WhatNext = outcome.WhatNext,
        });
        Remember(outcome);
        events.Tell((at, id) => new DeploymentEnded(at, id, outcome, parts.Time.GetElapsedTime(start)));
        return outcome;
    }

    private async Task<DeploymentStatus> WalkAsync()
    {
        try
        {
            return run.RollingBack ? await RollBackAsync() : await GoForwardAsync();
        }
        catch (OperationCanceledException) when (signal.Abort.IsCancellationRequested)
        {
            return DeploymentStatus.Aborted;
        }
    }

    private async Task<DeploymentStatus> GoForwardAsync()
    {
        events.Tell((at, id) => new PlanMade(at, id, run.Plan, run.Attempt, IsRollback: false));
        foreach (var phase in run.Plan.Preparation)
        {
            var failed = await TogetherAsync(new PlanStage(PlanStageKind.Preparation, phase.Name, 0, false), phase.Steps);
            failures.AddRange(failed);
            if (failed.Count > 0) return touched.Count == 0 ? DeploymentStatus.FailedUntouched : await FailAsync();
            if (IsStopped || steps.Fault is not null) return Interrupted();
        }

        foreach (var wave in run.Plan.Waves)
        {
            await CutOverAsync(wave);
            if (failedHosts.Count > Budget) return await FailAsync();
            if (IsStopped || steps.Fault is not null) return Interrupted();
        }

        var completion = new PlanStage(PlanStageKind.Completion, "completion", 0, false);
        if (run.Plan.Completion.Count > 0) warnings.AddRange(await TogetherAsync(completion, run.Plan.Completion));
        return DeploymentStatus.Succeeded;
    }

    private async Task<List<StepFailure>> TogetherAsync(PlanStage stage, IReadOnlyList<Step> together)
    {
        var start = BeginStage(stage, together.Select(s => s.Host));
        var results = await Task.WhenAll(together.Select(s => steps.RunAsync(s, stage.IsRollback)));
        foreach (var result in results.OfType<StepResult>().Where(r => r.Run.Step is MigrateStep)) migration = result;
        var failed = results.OfType<StepResult>()
            .Where(r => r.End.State is StepState.Failed or StepState.Unknown).Select(r => r.AsFailure()).ToList();
        EndStage(stage, results.All(r => r is { End.Succeeded: true }), start);
        return failed;
    }

    private async Task CutOverAsync(Wave wave)
    {
        var stage = new PlanStage(PlanStageKind.Wave, $"wave {wave.Number} of {run.Plan.Waves.Count}", wave.Number, false);
        var start = BeginStage(stage, wave.Hosts.Select(h => h.Host));
        var done = await Task.WhenAll(wave.Hosts.Select(h => CutOverAsync(h, isRollback: false)));
        EndStage(stage, done.All(d => d), start);
    }

    private async Task<bool> CutOverAsync(HostCutover cutover, bool isRollback)
    {
        var start = parts.Time.GetTimestamp();
        var account = accounts[cutover.Host];
        foreach (var step in cutover.Steps)
        {
            if (await steps.RunAsync(step, isRollback) is not { } result) return false;
            lock (gate)
            {
                if (!account.Touched) touched.Add(account);
                account.Take(result);
                if (result.End.State is StepState.Failed or StepState.Unknown) Failed(cutover.Host, result.AsFailure(), isRollback);
            }

            if (result.End.Succeeded) continue;
            if (step is DrainStep && result.End.State != StepState.Aborted) await PutBackAsync(account, isRollback);
            return false;
        }

        account.Complete(isRollback);
        events.Tell((at, id) => new HostDone(at, id, cutover.Host, cutover.To, isRollback, parts.Time.GetElapsedTime(start)));
        return true;
    }

    /// <summary>
    /// A host whose drain failed at one balancer still serves: it is put back at the others rather than left idle. Where a
    /// rollback follows, that does it.
    /// </summary>
    private async Task PutBackAsync(HostAccount account, bool isRollback)
    {
        if (account.Runs is null) return;
        foreach (var balancer in run.Manifest.Balancers.Where(b => account.DrainedAt.Contains(b.Key)).ToList())
        {
            var undrain = new UndrainStep(balancer, account.Host, run.Manifest.App, run.Manifest.Strategy.UndrainTimeout);
            if (await steps.RunAsync(undrain, isRollback, isPutBack: true) is not { } result) return;
            lock (gate) account.Take(result);
        }
    }

    private void Failed(HostName host, StepFailure failure, bool isRollback)
    {
        failures.Add(failure);
        if (!isRollback) failedHosts.Add(host);
        var passedOver = isRollback || failedHosts.Count <= Budget;
        // What will be rolled back need not be finished first; what will not is better finished than left half way.
        if (!passedOver && RollsBack) steps.Halt();
        events.Tell((at, id) => new HostFailed(at, id, host, failure, failedHosts.Count, Budget, passedOver));
    }

    private async Task<DeploymentStatus> FailAsync()
    {
        if (!RollsBack) return touched.Count == 0 ? DeploymentStatus.FailedUntouched : DeploymentStatus.FailedPartly;
        return await RollBackAsync();
    }

    private async Task<DeploymentStatus> RollBackAsync()
    {
        parts.Journal.Update(run.Id, r => r with { RollingBack = true });
        steps.Proceed();
        if (IsStopped || steps.Fault is not null) return Interrupted();

        // Capacity first: hosts that serve nothing come before those that do; among them the last one touched comes first.
        var order = touched.AsEnumerable().Reverse().OrderBy(a => a.InRotation).ToList();
        events.Tell((at, id) => new RollbackStarted(at, id, [.. order.Select(a => a.Host)]));
        var plan = await PlanRollbackAsync(order);
        events.Tell((at, id) => new PlanMade(at, id, plan, run.Attempt, IsRollback: true));

        // Hosts that serve nothing can only gain: each is tried, whatever became of the others. A host that serves is left
        // serving once the way back has failed anywhere: it might fail there as well.
        var cutovers = plan.Waves.SelectMany(w => w.Hosts).ToList();
        var failed = false;
        for (var i = 0; i < cutovers.Count && !steps.IsHalted; i++)
        {
            if (failed && accounts[cutovers[i].Host].InRotation) continue;
            var stage = new PlanStage(PlanStageKind.Wave, $"rollback {i + 1} of {cutovers.Count}", i + 1, true);
            var start = BeginStage(stage, [cutovers[i].Host]);
            var back = await CutOverAsync(cutovers[i], isRollback: true);
            failed |= !back;
            EndStage(stage, back, start);
        }

        return steps.IsHalted ? Interrupted()
            : touched.All(a => a.RolledBack) ? DeploymentStatus.RolledBack
            : DeploymentStatus.FailedPartly;
    }

    private async Task<Plan> PlanRollbackAsync(IReadOnlyList<HostAccount> order)
    {
        var seen = await Task.WhenAll(run.Manifest.Hosts
            .Select(async h => (h.Name, Seen: await parts.Fleet.ObserveAsync(h, run.Manifest.App, signal.Abort))));
        var observation = new FleetObservation(seen.ToDictionary(s => s.Name, s => s.Seen));
        var (plan, refusals) = Planner.MakeRollback(run.Manifest, observation, [.. order.Select(Back)]) switch
        {
            PlanResult.Made made => (made.Plan, []),
            PlanResult.Partial partial => (partial.Plan, partial.Refusals),
            PlanResult.Refused refused => (NoPlan, refused.Refusals),
            var other => throw new InvalidOperationException($"plan result {other} is not known"),
        };
        foreach (var refusal in refusals) accounts[refusal.Host].Lose(refusal.Error);
        return plan;
    }

    private static HostRollback Back(HostAccount account) => new(
        account.Host,
        account.Planned?.From,
        account.Failure is { } failure ? $"failed at {failure.Run.Step.Verb}" : "was cut over before",
        account.Planned?.Slot);

    private Plan NoPlan => new(run.Manifest.App, PlanIntent.Rollback, null, [], [], [], []);

    private DeploymentStatus Interrupted()
        => signal.Abort.IsCancellationRequested ? DeploymentStatus.Aborted : DeploymentStatus.Stopped;

    private long BeginStage(PlanStage stage, IEnumerable<HostName> hosts)
    {
        events.Tell((at, id) => new StageStarted(at, id, stage, [.. hosts.Distinct()]));
        return parts.Time.GetTimestamp();
    }

    private void EndStage(PlanStage stage, bool succeeded, long start)
        => events.Tell((at, id) => new StageEnded(at, id, stage, succeeded, parts.Time.GetElapsedTime(start)));

    private void Remember(DeploymentOutcome outcome)
    {
        if (run.Plan is not { Intent: PlanIntent.Deploy, Release: { } release }) return;
        if (outcome.Status == DeploymentStatus.Succeeded && failures.Count == 0) parts.Journal.Forget(run.Manifest.App, release);
        // A broken line or a balancer that says no tells nothing of the release.
        var fault = failures.FirstOrDefault(f => f is
        {
            State: StepState.Failed,
            Run: { IsRollback: false, Step: PreflightStep or MigrateStep or StartStep or AwaitHealthyStep },
        });
        if (fault is not null && outcome.Status is DeploymentStatus.FailedUntouched or DeploymentStatus.RolledBack or DeploymentStatus.FailedPartly)
            parts.Journal.Remember(new FailedRelease(run.Manifest.App, release, run.Id, fault!.Error, parts.Time.GetUtcNow()));
    }
}
