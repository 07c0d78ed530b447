using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>A plan in plain lines, for <c>decant plan</c>. Hosts of a wave that go the same way are shown together.</summary>
public static class PlanText
{
    /// <summary>Names in a row that need not be counted.</summary>
    private const int MostNames = 6;

    /// <summary>The lines, without markup or colour.</summary>
    public static IEnumerable<string> Of(Plan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return [Header(plan), .. Preparation(plan), .. plan.Waves.SelectMany(w => WaveLines(w, plan)), .. Afterwards(plan), .. Untouched(plan), .. Completion(plan), .. Remark(plan)];
    }

    private static string Header(Plan plan)
    {
        var hosts = plan.Waves.SelectMany(w => w.Hosts).Select(h => h.Host).Distinct().Count();
        var all = hosts + plan.Untouched.Count;
        var what = (plan.Intent, plan.Release) switch
        {
            (PlanIntent.Deploy, { } release) => $"deploy {plan.App} {release}",
            (PlanIntent.Repair, _) => $"repair {plan.App}",
            (PlanIntent.Rollback, { } release) => $"roll {plan.App} back to {release}",
            _ => $"roll {plan.App} back",
        };
        return plan.IsEmpty
            ? $"{what}: nothing to do{(plan.Intent == PlanIntent.Repair && plan.Untouched.Any(u => !u.IsThere) ? " by a plan" : "")}"
            : $"{what}: {hosts} of {Count(all, "host")} in {Count(plan.Waves.Count, "wave")}";
    }

    private static IEnumerable<string> Preparation(Plan plan)
    {
        if (plan.Preparation.Count == 0) yield break;
        yield return "";
        yield return "prepare, while what runs now serves";
        foreach (var phase in plan.Preparation)
        {
            if (phase.Steps is [MigrateStep migrate])
                yield return $"  {phase.Name,-10} once, on {migrate.Host}: {OneLine(migrate.Migration.Expression)} (at most {DurationText.Format(migrate.Migration.Timeout)})";
            else
                yield return $"  {phase.Name,-10} {Folded(phase.Steps)}";
        }
    }

    private static IEnumerable<string> WaveLines(Wave wave, Plan plan)
    {
        yield return "";
        yield return $"wave {wave.Number} of {plan.Waves.Count}";
        foreach (var move in wave.Moves) yield return $"  {move.Describe()} (at most {DurationText.Format(move.Deadline)})";
        var groups = wave.Hosts
            .Select(h => (Cutover: h, Steps: string.Join('\n', h.Steps.Select((s, i) => $"    {i + 1}. {Phrase(s)}"))))
            .GroupBy(h => (h.Cutover.From, h.Cutover.To, h.Cutover.Why, h.Steps));
        foreach (var group in groups)
        {
            yield return $"  {Names(group.Select(h => h.Cutover.Host))}: {Release(group.Key.From)} → {Release(group.Key.To)}";
            yield return $"    why: {group.Key.Why}";
            foreach (var line in group.Key.Steps.Split('\n').Where(l => l.Length > 0)) yield return line;
        }

        if (wave.Gate is { } gate) yield return $"  then {Phrase(gate)}";
    }

    private static string Phrase(CanaryGate gate)
    {
        var (policy, tolerance) = (gate.Policy, gate.Policy.Tolerance);
        var promote = policy.Promote == Promotion.Auto ? "go on" : "wait for `decant promote`";
        return string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"watch {Names(gate.Canaries.Select(c => c.Name))} for {DurationText.Format(policy.Bake)} (at most {tolerance.ErrorPoints} % more errors and {tolerance.Slowdown} times the response time of the rest), then {promote}");
    }

    private static IEnumerable<string> Afterwards(Plan plan)
    {
        if (plan.Afterwards.Count == 0) yield break;
        yield return "";
        yield return "then, when every host is back";
        foreach (var down in plan.Afterwards.SelectMany(p => p.Steps).OfType<MigrateDownStep>())
            yield return $"  {down.Verb} once, on {down.Host}, from {down.Release}: {OneLine(down.Expression)} (at most {DurationText.Format(down.Timeout)})";
    }

    private static IEnumerable<string> Remark(Plan plan) => plan is { Remark: { } remark, IsEmpty: false } ? ["", remark] : [];

    private static IEnumerable<string> Untouched(Plan plan)
    {
        if (plan.Untouched.Count == 0) yield break;
        yield return "";
        yield return "not touched";
        foreach (var group in plan.Untouched.GroupBy(u => u.Why)) yield return $"  {Names(group.Select(u => u.Host))}: {group.Key}";
    }

    private static IEnumerable<string> Completion(Plan plan)
    {
        if (plan.Completion.Count == 0) yield break;
        yield return "";
        yield return "at the end";
        foreach (var group in plan.Completion.GroupBy(Phrase)) yield return $"  {group.Key} on {Folded(group)}";
    }

    /// <summary>A step without the host that it stands under.</summary>
    private static string Phrase(Step step) => step switch
    {
        DrainStep drain => $"drain at {drain.Balancer.Key}{In(drain.At.Slot)} (at most {DurationText.Format(drain.Deadline)}{Others(drain.MinOthersUp)})",
        StopStep stop => $"stop{(stop.Running is null ? "" : $" {stop.Running}")}{In(stop.At.Slot)} (SIGTERM after {DurationText.Format(stop.StopTimeout)}, SIGKILL {DurationText.Format(stop.TermTimeout)} later)",
        StartStep start => $"start {start.Release}{In(start.At.Slot)} on port {start.At.Slot.Port}",
        AwaitHealthyStep wait => $"wait until healthy (at most {DurationText.Format(wait.Deadline)}) and for {DurationText.Format(wait.MinHealthy)} more",
        UndrainStep { Weight: < 100 } undrain => $"undrain at {undrain.Balancer.Key} with {undrain.Weight} % of a full share (at most {DurationText.Format(undrain.Deadline)})",
        UndrainStep undrain => $"undrain at {undrain.Balancer.Key}{In(undrain.At.Slot)} (at most {DurationText.Format(undrain.Deadline)})",
        MoveStep move => $"move traffic at {move.Balancer.Key} from {move.Moves[0].OutOf.Name} to {move.Moves[0].Into.Slot.Name} (at most {DurationText.Format(move.Deadline)})",
        RetireStep retire => $"retire {retire.Running} in {retire.At.Slot.Name} after {DurationText.Format(retire.Keep)}",
        KeepStep keep => $"keep {keep.Running} in {keep.At.Slot.Name}, which was to be retired",
        RemoveMemberStep remove => $"remove its member{In(remove.At.Slot)} from {remove.Balancer.Key}",
        PruneStep prune => $"keep {Count(prune.Keep, "release")}",
        _ => step.Describe(),
    };

    /// <summary>The slot where it is not the usual one.</summary>
    private static string In(SlotSettings slot) => slot.Name.Value == ManifestDefaults.Slot ? "" : $" in {slot.Name}";

    private static string Others(int minOthersUp) => minOthersUp == 0 ? "" : $", when at least {Count(minOthersUp, "other")} {(minOthersUp == 1 ? "is" : "are")} up";

    private static string Release(ReleaseId? release) => release?.ToString() ?? "(nothing)";

    private static string Names(IEnumerable<HostName> hosts)
    {
        var names = hosts.Select(h => h.Value).ToList();
        return names.Count <= MostNames ? string.Join(", ", names) : $"{string.Join(", ", names)} ({names.Count} hosts)";
    }

    /// <summary>For steps whose hosts stand by name in the waves or among the untouched: many are folded.</summary>
    private static string Folded(IEnumerable<Step> steps)
    {
        var hosts = steps.Select(s => s.Host).ToList();
        return hosts.Count <= MostNames ? Names(hosts) : $"{hosts[0]} … {hosts[^1]} ({hosts.Count} hosts)";
    }

    private static string OneLine(string expression) => expression.ReplaceLineEndings(" ");

    private static string Count(int number, string noun) => $"{number} {noun}{(number == 1 ? "" : "s")}";
}
