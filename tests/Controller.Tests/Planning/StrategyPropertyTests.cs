using CsCheck;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using static Decant.Controller.Tests.Planning.Fleets;

namespace Decant.Controller.Tests.Planning;

/// <summary>What holds for the plan of any strategy and cutover, for any fleet.</summary>
public class StrategyPropertyTests
{
    private static readonly string[] OneSlot = ["rolling", "canary", "recreate"];
    private static readonly string[] TwoSlots = ["rolling", "canary", "recreate", "blue-green"];

    /// <summary>What may be found on a host: nothing, the old or the new release, in the first slot or the last, ill, or something kept warm beside it.</summary>
    private const int States = 8;

    private static readonly Gen<Case> Cases =
        from states in Gen.Int[0, States - 1].Array[2, 9]
        from isSwitch in Gen.Bool
        from kind in Gen.Int[0, 3]
        from batch in Gen.Int[1, 5]
        from min in Gen.Int[0, 4]
        from weight in Gen.Bool
        select Case.Of(states, isSwitch, isSwitch ? TwoSlots[kind] : OneSlot[kind % 3], batch, min, weight);

    [Test]
    public void Never_fewer_are_in_rotation_than_were_asked_for_or_served_before() => Holds(c =>
    {
        if (c.Plan is null || c.Manifest.Strategy.Kind == StrategyKind.Recreate) return true;
        var played = c.Fleet();
        var floor = Math.Min(c.Manifest.Strategy.MinInRotation.AtLeastOf(c.Manifest.Hosts.Count), played.Served);
        var fewest = int.MaxValue;
        played.Play(c.Plan, _ => fewest = Math.Min(fewest, played.Served));
        return fewest >= floor;
    });

    [Test]
    public void In_the_end_every_host_serves_the_new_release() => Holds(c =>
    {
        if (c.Plan is null) return true;
        var played = c.Fleet();
        played.Play(c.Plan, _ => { });
        return c.Manifest.Hosts.All(h => played.Serving.TryGetValue(h.Name, out var serves) && serves.Release == New);
    });

    [Test]
    public void Each_host_is_cut_over_once_or_left_alone() => Holds(c =>
    {
        if (c.Plan is not { } plan) return true;
        var starts = plan.Waves.SelectMany(w => w.Hosts).SelectMany(h => h.Steps).OfType<StartStep>().Select(s => s.Host).ToList();
        var touched = plan.Waves.SelectMany(w => w.Hosts).Select(h => h.Host).ToHashSet();
        return starts.Distinct().Count() == starts.Count
            && c.Manifest.Hosts.All(h => touched.Contains(h.Name) != plan.Untouched.Any(u => u.Host == h.Name));
    });

    [Test]
    public void The_migration_is_once_and_before_any_cutover() => Holds(c =>
        c.Plan is not { } plan
        || (plan.Preparation.SelectMany(p => p.Steps).OfType<MigrateStep>().Count() == (plan.Preparation.Count == 0 ? 0 : 1)
            && !plan.Waves.SelectMany(w => w.Hosts).SelectMany(h => h.Steps).Any(s => s is MigrateStep)));

    [Test]
    public void Nothing_is_stopped_or_retired_that_takes_requests() => Holds(c =>
    {
        if (c.Plan is null) return true;
        var out_ = new HashSet<MemberSeat>();
        var fine = true;
        c.Fleet().Play(c.Plan, step =>
        {
            out_.UnionWith(step.TakesOut);
            out_.ExceptWith(step.PutsIn);
            if (step is StopStep or RetireStep && step is SlotStep { At: var at })
                fine &= c.Manifest.Balancers.All(b => out_.Contains(new MemberSeat(b.Key, at.Name, at.Slot.Name)));
        });
        return fine;
    });

    [Test]
    public void Every_step_has_a_key_of_its_own() => Holds(c =>
    {
        if (c.Plan is not { } plan) return true;
        var keys = plan.Preparation.SelectMany(p => p.Steps)
            .Concat(plan.Waves.SelectMany(w => w.Moves))
            .Concat(plan.Waves.SelectMany(w => w.Hosts).SelectMany(h => h.Steps))
            .Concat(plan.Completion).Select(s => s.Key).ToList();
        return keys.Distinct().Count() == keys.Count;
    });

    [Test]
    public void The_way_back_restores_what_served() => Holds(c =>
    {
        if (c.Plan is null) return true;
        var played = c.Fleet();
        var before = played.Serving;
        var seen = played.Observe();
        played.Play(c.Plan, _ => { });
        var back = c.Plan.Waves.SelectMany(w => w.Hosts).DistinctBy(h => h.Host).Reverse()
            .Where(h => before.ContainsKey(h.Host))
            .Select(h => new HostRollback(h.Host, before[h.Host].Release, "undone", ((HostObservation.Seen)seen.Hosts[h.Host]).Instances.Single(i => i.Slot.Name == before[h.Host].Slot).Slot))
            .ToList();
        if (back.Count == 0) return true;
        played.Play(Made(Planner.MakeRollback(c.Manifest, played.Observe(), back)), _ => { });
        return before.All(b => played.Serving.TryGetValue(b.Key, out var serves) && serves == b.Value);
    });

    [Test]
    public void A_plan_that_is_made_again_half_way_ends_at_the_same_place() => Holds(c =>
    {
        if (c.Plan is null) return true;
        var steps = 0;
        c.Fleet().Play(c.Plan, _ => steps++);
        for (var at = 0; at < steps; at += 3)
        {
            var played = c.Fleet();
            var left = at;
            try
            {
                played.Play(c.Plan, _ =>
                {
                    if (left-- == 0) throw new OperationCanceledException();
                });
            }
            catch (OperationCanceledException)
            {
                // Stopped here: what follows is planned from what is seen.
            }

            var scope = new DeploymentScope(null, c.Manifest.Strategy.Kind == StrategyKind.Canary ? new CanaryProgress([], Promoted: true) : null);
            var again = Planner.MakeDeployment(c.Manifest, played.Observe(), New, scope);
            if (again is not PlanResult.Made made) continue;
            played.Play(made.Plan, _ => { });
            var rest = c.Manifest.Hosts.Where(h => !played.Serving.TryGetValue(h.Name, out var serves) || serves.Release != New).ToList();
            // What runs already but was left out of rotation is put back by the executor, which knows who took it out.
            if (rest.Any(h => made.Plan.Untouched.All(u => u.Host != h.Name))) return false;
        }

        return true;
    });

    private static void Holds(Func<Case, bool> property) => Cases.Sample(property, iter: 1_000);

    internal sealed record Case(DeploymentManifest Manifest, int[] States, Plan? Plan)
    {
        public static Case Of(int[] states, bool isSwitch, string kind, int batch, int min, bool weight)
        {
            var canary = kind == "canary" ? $", canary: {{ hosts: 1, weight: {(weight ? "20%" : "100%")} }}" : "";
            var strategy = $"type: {kind}, batch: {batch}{(kind == "recreate" ? "" : $", min_in_rotation: {min}")}{canary}";
            var manifest = isSwitch
                ? TwoSlotsOf(states.Length, strategy, "migrations: { run: x }")
                : Fleets.ManifestOf(states.Length, 2, strategy: strategy, more: "migrations: { run: x }");
            var made = Planner.MakeDeployment(manifest, FleetOf(manifest, states).Observe(), New);
            return new Case(manifest, states, (made as PlanResult.Made)?.Plan);
        }

        public PlayedFleet Fleet() => FleetOf(Manifest, States);

        public override string ToString() => $"{string.Join(' ', States)}\n{(Plan is null ? "refused" : string.Join('\n', PlanText.Of(Plan)))}";

        private static PlayedFleet FleetOf(DeploymentManifest manifest, int[] states)
        {
            var fleet = new PlayedFleet(manifest);
            foreach (var (host, state) in manifest.Hosts.Zip(states))
            {
                var (first, last) = (host.Slots[0], host.Slots[^1]);
                switch (state)
                {
                    case 1: fleet.Run(host.Name, first, Old); break;
                    case 2: fleet.Run(host.Name, last, Old); break;
                    case 3: fleet.Run(host.Name, first, New); break;
                    case 4: fleet.Run(host.Name, first, Old, healthy: false); break;
                    case 5: fleet.Run(host.Name, last, New, healthy: false); break;
                    case 6:
                        fleet.Run(host.Name, first, Old);
                        if (first != last) fleet.Run(host.Name, last, New, retiring: true, inRotation: false);
                        break;
                    case 7:
                        fleet.Run(host.Name, first, Old);
                        if (first != last) fleet.Run(host.Name, last, Old, inRotation: false);
                        break;
                }
            }

            return fleet;
        }
    }
}
