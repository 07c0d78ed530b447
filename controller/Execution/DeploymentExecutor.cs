using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
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
    private bool mustSucceed;

    /// <summary>Prepares an attempt.</summary>
    public DeploymentExecutor(ExecutorParts parts, DeploymentRun run, StopSignal signal)
    {
        (this.parts, this.run, this.signal) = (parts, run, signal);
        events = parts.Events;
        var release = run.Plan.Release ?? run.Manifest.Hosts.Select(h => run.Before.GetValueOrDefault(h.Name)?.To).FirstOrDefault(r => r is not null);
        steps = new StepRunner(
            parts.Fleet,
            new CanaryWatch(parts.Fleet, run.Manifest, release!, parts.Time),
            new RotationGuard(parts.Fleet, run.Manifest, parts.Time),
            parts.Journal,
            events,
            parts.Time,
            parts.Options,
            run.Id,
            run.Attempt,
            signal,
            parts.Lease);
        var balancers = run.Manifest.Balancers.Select(b => b.Key).ToList();
        foreach (var host in run.Manifest.Hosts.Select(h => h.Name).Concat(run.Plan.Waves.SelectMany(w => w.Hosts).Select(h => h.Host)).Distinct())
            accounts[host] = new HostAccount(host, run.Before.GetValueOrDefault(host), balancers);
        foreach (var earlier in run.Earlier)
        {
            accounts[earlier.Host].Resume(earlier);
            touched.Add(accounts[earlier.Host]);
        }
    }

    // The budget is for what is new. Where the known is to be had back, a host that fails is reason enough to leave the others serving.
    private int Budget => mustSucceed || run.Plan.Intent != PlanIntent.Deploy ? 0 : run.Manifest.Strategy.FailureBudget;

    // Hosts that were to go back and cannot are left for a person: going forward again is no repair.
    private bool RollsBack => run.Manifest.Strategy.AutoRollback && run.Plan.Intent == PlanIntent.Deploy;

    private bool IsStopped => signal.Stop.IsCancellationRequested || parts.Lease.IsLost;

    /// <summary>Runs the attempt to its end. The deployment is journaled already; its end is journaled here.</summary>
    public async Task<DeploymentOutcome> RunAsync()
    {
        var start = parts.Time.GetTimestamp();
        using var stopping = signal.Stop.Register(TellOfStop);
        var status = await WalkAsync();
        if (steps.Fault is not null) status = DeploymentStatus.FailedPartly;
        else if (parts.Lease.IsLost && status is not (DeploymentStatus.Succeeded or DeploymentStatus.RolledBack)) status = DeploymentStatus.LeaseLost;

        var outcome = new OutcomeReport(run, status, [.. accounts.Values], failures, warnings, migration, steps.Fault, parts.Lease.Loss).Outcome();
        await parts.Record.UpdateAsync(r => r with
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

    private void TellOfStop()
    {
        var running = steps.Running;
        events.Tell((at, id) => new StopRequested(at, id, running));
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
            // Hosts that failed within the budget do not serve: others may be missed that could have been spared.
            if (wave.Others.Count(h => !failedHosts.Contains(h)) < wave.MinOthers) return await FailAsync();
            await CutOverAsync(wave);
            if (failedHosts.Count > Budget) return await FailAsync();
            if (IsStopped || steps.Fault is not null) return Interrupted();
            if (wave.Gate is { } gate && await PassAsync(gate) is { } held) return held;
        }

        foreach (var phase in run.Plan.Afterwards)
        {
            var failed = await TogetherAsync(new PlanStage(PlanStageKind.Completion, phase.Name, 0, false), phase.Steps);
            failures.AddRange(failed);
            if (failed.Count > 0) return DeploymentStatus.FailedPartly;
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
        if (wave.Hosts.Count == 0) return;
        mustSucceed = wave.MustSucceed;
        var stage = new PlanStage(PlanStageKind.Wave, $"wave {wave.Number} of {run.Plan.Waves.Count}", wave.Number, false);
        var start = BeginStage(stage, wave.Hosts.Select(h => h.Host));
        await Task.WhenAll(wave.Moves.Select(MoveAsync));
        // A host that failed in an earlier wave, within the budget, stays where it is.
        var hosts = wave.Hosts.Where(h => !failedHosts.Contains(h.Host)).ToList();
        var done = steps.IsHalted ? [false] : await Task.WhenAll(hosts.Select(h => CutOverAsync(h, isRollback: false, IsLast(h.Host, wave))));
        EndStage(stage, done.All(d => d), start);
    }

    private bool IsLast(HostName host, Wave wave) => !run.Plan.Waves.Any(w => w.Number > wave.Number && w.Hosts.Any(h => h.Host == host));

    /// <summary>Moves the traffic of several hosts together, those left out that failed before.</summary>
    private async Task MoveAsync(MoveStep planned)
    {
        var step = planned with { Moves = [.. planned.Moves.Where(m => !failedHosts.Contains(m.Into.Name))] };
        if (step.Moves.Count == 0 || await steps.RunAsync(step, isRollback: false) is not { } result) return;
        lock (gate)
        {
            foreach (var host in step.Hosts)
            {
                Touch(accounts[host], result);
                if (result.End.State is StepState.Failed or StepState.Unknown) Failed(host, result.AsFailure(), isRollback: false);
            }
        }
    }

    /// <summary>Watches canaries; null when the deployment goes on, else how it is held up.</summary>
    private async Task<DeploymentStatus?> PassAsync(CanaryGate canaries)
    {
        var stage = new PlanStage(PlanStageKind.Wave, "canary", 0, false);
        var start = BeginStage(stage, canaries.Canaries.Select(c => c.Name));
        var result = await steps.RunAsync(new BakeStep(canaries, run.Manifest.App), isRollback: false);
        EndStage(stage, result is { End.Succeeded: true }, start);
        if (result is null or { End.State: StepState.Aborted } || steps.Fault is not null) return Interrupted();
        if (!result.End.Succeeded)
        {
            failures.Add(result.AsFailure());
            return await FailAsync();
        }

        if (canaries.Policy.Promote == Promotion.Manual) return DeploymentStatus.AwaitingPromotion;
        await parts.Record.UpdateAsync(r => r with { Canary = r.Canary is { } canary ? canary with { Promoted = true } : null });
        return null;
    }

    private void Touch(HostAccount account, StepResult result)
    {
        if (!account.Touched) touched.Add(account);
        account.Take(result);
    }

    private async Task<bool> CutOverAsync(HostCutover cutover, bool isRollback, bool isLast = true)
    {
        var start = parts.Time.GetTimestamp();
        var account = accounts[cutover.Host];
        foreach (var step in cutover.Steps)
        {
            if (await steps.RunAsync(step, isRollback) is not { } result) return false;
            lock (gate)
            {
                Touch(account, result);
                if (result.End.State is StepState.Failed or StepState.Unknown) Failed(cutover.Host, result.AsFailure(), isRollback);
            }

            if (result.End.Succeeded) continue;
            if (step is DrainStep drain && result.End.State != StepState.Aborted) await PutBackAsync(account, drain.At, isRollback);
            return false;
        }

        if (!isLast) return true;
        account.Complete(isRollback);
        events.Tell((at, id) => new HostDone(at, id, cutover.Host, cutover.To, isRollback, parts.Time.GetElapsedTime(start)));
        return true;
    }

    /// <summary>
    /// A host whose drain failed at one balancer still serves: it is put back at the others rather than left idle. Where a
    /// rollback follows, that does it.
    /// </summary>
    private async Task PutBackAsync(HostAccount account, ManifestHost at, bool isRollback)
    {
        // What traffic has moved away from is not put back: another instance has it.
        if (!account.RunsIn(at.Slot.Name) || account.InRotation) return;
        foreach (var balancer in run.Manifest.Balancers.Where(b => account.TakenOutAt(at.Slot.Name).Contains(b.Key)).ToList())
        {
            var undrain = new UndrainStep(balancer, at, run.Manifest.App, run.Manifest.Strategy.UndrainTimeout);
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
        if (parts.Lease.IsLost) return DeploymentStatus.LeaseLost;
        if (!RollsBack) return touched.Count == 0 ? DeploymentStatus.FailedUntouched : DeploymentStatus.FailedPartly;
        return await RollBackAsync();
    }

    private async Task<DeploymentStatus> RollBackAsync()
    {
        await parts.Record.UpdateAsync(r => r with { RollingBack = true });
        steps.Proceed();
        if (IsStopped || steps.Fault is not null) return Interrupted();

        // Capacity first: hosts that serve nothing come before those that do; among them the last one touched comes first.
        var order = touched.AsEnumerable().Reverse().OrderBy(a => a.InRotation).ToList();
        events.Tell((at, id) => new RollbackStarted(at, id, [.. order.Select(a => a.Host)]));
        var (plan, refused) = await PlanRollbackAsync(order);
        events.Tell((at, id) => new PlanMade(at, id, plan, run.Attempt, IsRollback: true));

        // Hosts that serve nothing can only gain: each is tried, whatever became of the others. A host that serves is left
        // serving once the way back has failed anywhere: it might fail there as well. The same when one that is out cannot be reached to
        // be put back: what serves is all that there is.
        var cutovers = plan.Waves.SelectMany(w => w.Hosts).ToList();
        var left = refused.Where(h => !accounts[h].InRotation).ToHashSet();
        for (var i = 0; i < cutovers.Count && !steps.IsHalted; i++)
        {
            if (left.Contains(cutovers[i].Host) || (left.Count > 0 && accounts[cutovers[i].Host].InRotation)) continue;
            if (plan.Waves.Any(w => w.MustSucceed && !w.Hosts.Contains(cutovers[i]) && w.Hosts.Any(h => left.Contains(h.Host)))) break;
            var stage = new PlanStage(PlanStageKind.Wave, $"rollback {i + 1} of {cutovers.Count}", i + 1, true);
            var start = BeginStage(stage, [cutovers[i].Host]);
            var back = await CutOverAsync(cutovers[i], isRollback: true, cutovers.Skip(i + 1).All(c => c.Host != cutovers[i].Host));
            if (!back) left.Add(cutovers[i].Host);
            EndStage(stage, back, start);
        }

        return steps.IsHalted ? Interrupted()
            : touched.All(a => a.RolledBack) ? DeploymentStatus.RolledBack
            : DeploymentStatus.FailedPartly;
    }

    private async Task<(Plan Plan, IEnumerable<HostName> Refused)> PlanRollbackAsync(IReadOnlyList<HostAccount> order)
    {
        var survey = await FleetSurvey.MakeAsync(parts.Fleet, run.Manifest, [], signal.Abort);
        var back = order.Where(a => run.Manifest.Hosts.Any(h => h.Name == a.Host)).Select(Back).ToList();
        var (plan, refusals) = Planner.MakeRollback(run.Manifest, survey.Fleet, back) switch
        {
            PlanResult.Made made => (made.Plan, []),
            PlanResult.Partial partial => (partial.Plan, partial.Refusals),
            PlanResult.Refused refused => (NoPlan, refused.Refusals),
            var other => throw new InvalidOperationException($"plan result {other} is not known"),
        };
        foreach (var refusal in refusals) accounts[refusal.Host].Lose(refusal.Error);
        return (plan, refusals.Select(r => r.Host));
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
            Run: { IsRollback: false, Step: PreflightStep or MigrateStep or StartStep or AwaitHealthyStep or BakeStep },
        });
        if (fault is not null && outcome.Status is DeploymentStatus.FailedUntouched or DeploymentStatus.RolledBack or DeploymentStatus.FailedPartly)
            parts.Journal.Remember(new FailedRelease(run.Manifest.App, release, run.Id, fault!.Error, parts.Time.GetUtcNow()));
    }
}
