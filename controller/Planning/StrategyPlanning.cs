using Decant.Controller.Fleet;
using Decant.Controller.Manifest;

namespace Decant.Controller.Planning;

/// <summary>Puts the cutovers of the hosts into waves, as the manifest's strategy has it. Strategies are combinations of the same parts.</summary>
internal static class StrategyPlanning
{
    /// <summary>The waves of a deployment.</summary>
    /// <param name="manifest">Its manifest.</param>
    /// <param name="waves">Places hosts in waves.</param>
    /// <param name="changes">Hosts that change, in the order of the manifest.</param>
    /// <param name="progress">Of a canary that is planned again; null: it begins.</param>
    public static IReadOnlyList<Wave> Waves(
        DeploymentManifest manifest, WavePlanning waves, IReadOnlyList<HostChange> changes, CanaryProgress? progress) => manifest.Strategy.Kind switch
        {
            StrategyKind.BlueGreen => BlueGreen(waves, changes),
            StrategyKind.Recreate => Recreate(waves, changes),
            StrategyKind.Canary when manifest.Strategy.Canary is { } policy && progress is not { Promoted: true }
                => Canary(manifest, policy, waves, changes, progress),
            _ => waves.IdleFirst(changes),
        };

    /// <summary>The waves of a rollback.</summary>
    /// <param name="manifest">Its manifest.</param>
    /// <param name="waves">Places hosts in waves.</param>
    /// <param name="changes">Hosts that go back, in that order.</param>
    /// <param name="idleFirst">Those that serve nothing come first; otherwise they keep the order given.</param>
    public static IReadOnlyList<Wave> RollbackWaves(DeploymentManifest manifest, WavePlanning waves, IReadOnlyList<HostChange> changes, bool idleFirst)
        => manifest.Strategy.Kind == StrategyKind.Recreate ? Recreate(waves, changes)
            : changes.Count > 0 && changes.All(c => waves.StepsOf(c, 0).IsBeside) ? SwitchBack(waves, changes)
            : idleFirst ? waves.IdleFirst(changes)
            : waves.InOrder(changes);

    /// <summary>Where the old instances are still there, or can be started beside: the traffic of all hosts moves back before anything is stopped.</summary>
    private static IReadOnlyList<Wave> SwitchBack(WavePlanning waves, IReadOnlyList<HostChange> changes)
    {
        var steps = changes.Select(c => (Change: c, Steps: waves.StepsOf(c, 0))).ToList();
        var back = steps.Select(s => Part(s.Change, [.. s.Steps.Before, .. s.Steps.Traffic], "traffic moves back at once")).ToList();
        var after = steps.Where(s => s.Steps.After.Count > 0).Select(s => Part(s.Change, s.Steps.After, "what it moved from ends")).ToList();
        return after.Count == 0 ? [new Wave(1, back)] : [new Wave(1, back), new Wave(2, after)];
    }

    /// <summary>Started beside the old everywhere, then all traffic at once. There is one point of no capacity lost, and one of return.</summary>
    private static IReadOnlyList<Wave> BlueGreen(WavePlanning waves, IReadOnlyList<HostChange> changes)
    {
        if (changes.Count == 0) return [];
        var steps = changes.Select(c => (Change: c, Steps: waves.StepsOf(c, 0))).ToList();
        var start = steps.Select(s => Part(s.Change, s.Steps.Before, "starts beside the old")).ToList();
        var moves = steps.SelectMany(s => s.Steps.Traffic).OfType<MoveStep>()
            .GroupBy(m => BalancerSeat.Of(m.Balancer, m.Host))
            .Select(same => same.First() with { Moves = [.. same.SelectMany(m => m.Moves)] });
        var rest = steps.Select(s => Part(s.Change, [.. s.Steps.Traffic.Where(t => t is not MoveStep), .. s.Steps.After], "traffic moves everywhere at once"));
        return [new Wave(1, start), new Wave(2, [.. rest]) { Moves = [.. moves] }];
    }

    /// <summary>Down everywhere before anything comes up.</summary>
    private static IReadOnlyList<Wave> Recreate(WavePlanning waves, IReadOnlyList<HostChange> changes)
    {
        if (changes.Count == 0) return [];
        var steps = changes.Select(c => (Change: c, Steps: waves.StepsOf(c, 0).All)).ToList();
        var down = steps.Where(s => s.Steps.Any(t => t is StopStep))
            .Select(s => Part(s.Change, [.. s.Steps.TakeWhile(t => t is not StartStep)], "requests fail from here until the next wave is through"))
            .ToList();
        var up = steps
            .Select(s => Part(
                s.Change, s.Steps.Any(t => t is StopStep) ? [.. s.Steps.SkipWhile(t => t is not StartStep)] : s.Steps, "nothing of the old release runs any more"))
            .Where(p => p.Steps.Count > 0)
            .ToList();
        return [.. new[] { new Wave(0, down) { MustSucceed = true }, new Wave(0, up) }.Where(w => w.Hosts.Count > 0).Select((w, i) => w with { Number = i + 1 })];
    }

    private static IReadOnlyList<Wave> Canary(
        DeploymentManifest manifest, CanaryPolicy policy, WavePlanning waves, IReadOnlyList<HostChange> changes, CanaryProgress? progress)
    {
        // Where nothing serves, there is nobody to compare with, and nobody to spare.
        if (progress is null && !changes.Any(c => c.Serves)) return waves.IdleFirst(changes);
        var names = Canaries(manifest, policy, waves, changes, progress);
        var (canaries, others) = Split(changes, names);

        var planned = waves.CanariesFirst(canaries, others).ToList();
        var first = planned.Count(w => w.Hosts.Any(h => names.Contains(h.Host)));
        var gate = new CanaryGate([.. manifest.Hosts.Where(h => names.Contains(h.Name)).Select(h => h.In(canaries.FirstOrDefault(c => c.Name == h.Name)?.Target ?? h.Slot))], policy);
        var before = planned.Take(first).ToList();
        var finish = policy.Weight == 100 ? [] : canaries.Select(c => Finish(c, waves)).ToList();
        if (policy.Weight < 100)
            before = [.. before.Select(w => w with { Hosts = [.. w.Hosts.Select(h => Begin(h, canaries.Single(c => c.Name == h.Host), waves, policy.Weight))] })];
        // Canaries that were cut over by an earlier attempt are watched all the same.
        before = before.Count == 0 ? [new Wave(1, []) { Gate = gate }] : [.. before.SkipLast(1), before[^1] with { Gate = gate }];
        IReadOnlyList<Wave> all = [.. before, .. finish.Count == 0 ? [] : new[] { new Wave(0, finish) }, .. planned.Skip(first)];
        return [.. all.Select((w, i) => w with { Number = i + 1 })];
    }

    /// <summary>
    /// Who goes first. Hosts that serve, because they are missed when they fail; but not those that cannot be spared, while hosts that serve nothing
    /// could go first. A choice that was made before stands, as far as it can be kept: canaries that were cut over stay canaries.
    /// </summary>
    private static IReadOnlyList<HostName> Canaries(
        DeploymentManifest manifest, CanaryPolicy policy, WavePlanning waves, IReadOnlyList<HostChange> changes, CanaryProgress? progress)
    {
        var count = policy.Hosts.AtMostOf(manifest.Hosts.Count);
        IReadOnlyList<HostName> serving = [.. changes.OrderByDescending(c => c.Serves).Take(count).Select(c => c.Name)];
        IReadOnlyList<HostName> idle = [.. changes.OrderBy(c => c.Serves).Take(count).Select(c => c.Name)];
        IReadOnlyList<HostName> begun = [.. (progress?.Canaries ?? []).Where(n => changes.FirstOrDefault(c => c.Name == n) is not { } change || change.From == change.To)];
        IReadOnlyList<HostName>[] choices = progress is null ? [serving, idle]
            : begun.Count > 0 ? [progress.Canaries, begun]
            : [progress.Canaries, serving, idle];
        return choices.FirstOrDefault(names => Split(changes, names) is var (canaries, others) && waves.Allows(canaries, others)) ?? choices[0];
    }

    /// <summary>Canaries, those that serve nothing first, and the others.</summary>
    private static (IReadOnlyList<HostChange> Canaries, IReadOnlyList<HostChange> Others) Split(IReadOnlyList<HostChange> changes, IReadOnlyList<HostName> canaries)
        => ([.. changes.Where(c => canaries.Contains(c.Name)).OrderBy(c => c.Serves)], [.. changes.Where(c => !canaries.Contains(c.Name))]);

    /// <summary>The canary's part before the gate: it gets its share, and the old instance keeps the rest where both can run.</summary>
    private static HostCutover Begin(HostCutover planned, HostChange change, WavePlanning waves, int weight)
    {
        var steps = waves.StepsOf(change, planned.Steps.OfType<DrainStep>().Select(d => d.MinOthersUp).DefaultIfEmpty(0).Max());
        var share = steps.Traffic.Select(t => t switch
        {
            UndrainStep undrain => undrain with { Weight = weight },
            MoveStep move => new UndrainStep(move.Balancer, move.Moves[0].Into, move.App, move.Deadline, move.Moves[0].Address, weight),
            _ => t,
        });
        return planned with { Steps = [.. steps.Before, .. share] };
    }

    /// <summary>The canary's part behind the gate: the full share.</summary>
    private static HostCutover Finish(HostChange change, WavePlanning waves)
    {
        var steps = waves.StepsOf(change, 0);
        return Part(change, [.. steps.Traffic, .. steps.After], "the canary gets its full share");
    }

    private static HostCutover Part(HostChange change, IReadOnlyList<Step> steps, string why) => new(change.Name, change.From, change.To, $"{change.Why}; {why}", steps);
}
