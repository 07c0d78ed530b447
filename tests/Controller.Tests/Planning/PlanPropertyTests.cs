using CsCheck;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using static Decant.Controller.Tests.Planning.Fleets;

namespace Decant.Controller.Tests.Planning;

/// <summary>What holds for the plan of any deployment to any fleet.</summary>
public class PlanPropertyTests
{
    private static readonly Func<ManifestHost, HostObservation>[] States =
        [Empty, Serving, Ailing, Updated, UpdatedAndAiling, UpdatedOnAnotherPort];

    private static readonly Gen<Case> Cases =
        from states in Gen.Int[0, States.Length - 1].Array[1, 15]
        from balancers in Gen.Int[0, 3]
        from count in Gen.Int[1, 16]
        from share in Gen.Int[1, 100]
        from byShare in Gen.Bool
        from migrationHost in Gen.Int[0, 15]
        select Case.Of(states, balancers, byShare ? $"{share}%" : $"{count}", migrationHost);

    [Test]
    public void Each_host_is_cut_over_once_or_left_alone_with_a_reason() => Holds(c =>
    {
        var touched = c.Cutovers.Select(h => h.Host).ToList();
        return touched.Concat(c.Plan.Untouched.Select(u => u.Host)).Order(ByName).SequenceEqual(c.Manifest.Hosts.Select(h => h.Name).Order(ByName))
            && c.Plan.Untouched.All(u => u.Why.Length > 0)
            && c.Cutovers.All(h => h.Why.Length > 0);
    });

    [Test]
    public void Only_hosts_that_run_the_release_well_and_as_wanted_are_left_alone() => Holds(c => c.Manifest.Hosts.All(h =>
        c.Plan.Untouched.Any(u => u.Host == h.Name) == (Running(c.Fleet, h.Name) is { Healthy: true } running
            && running.Release == New && running.Slot.Port == h.Slot.Port)));

    [Test]
    public void The_migration_runs_once_on_a_touched_host_and_never_in_a_wave() => Holds(c =>
    {
        var migrations = c.Plan.Preparation.SelectMany(p => p.Steps).OfType<MigrateStep>().ToList();
        return migrations.Count == (c.Manifest.Migrations is not null && !c.Plan.IsEmpty ? 1 : 0)
            && migrations.All(m => c.Cutovers.Any(h => h.Host == m.Host))
            && !c.Cutovers.SelectMany(h => h.Steps).Any(s => s is MigrateStep or StageStep or PreflightStep);
    });

    [Test]
    public void Every_touched_host_and_no_other_is_staged_and_preflighted() => Holds(c =>
        new[] { "stage", "preflight" }.All(name => c.Plan.IsEmpty
            || c.Plan.Preparation.Single(p => p.Name == name).Steps.Select(s => s.Host).Order(ByName)
                .SequenceEqual(c.Cutovers.Select(h => h.Host).Order(ByName))));

    [Test]
    public void Nothing_is_stopped_or_started_before_it_is_drained_at_every_balancer() => Holds(c => c.Cutovers.All(h =>
        h.Steps.TakeWhile(s => s is not (StopStep or StartStep)).OfType<DrainStep>().Select(d => d.Balancer.Key)
            .SequenceEqual(c.Manifest.Balancers.Select(b => b.Key))));

    [Test]
    public void What_was_started_is_healthy_before_it_is_put_back_at_every_balancer() => Holds(c => c.Cutovers.All(h =>
    {
        var rest = h.Steps.SkipWhile(s => s is not StartStep).Skip(1).ToList();
        return rest is [AwaitHealthyStep, ..]
            && rest.Skip(1).Cast<UndrainStep>().Select(u => u.Balancer.Key).SequenceEqual(c.Manifest.Balancers.Select(b => b.Key));
    }));

    [Test]
    public void A_running_instance_is_stopped_and_no_other() => Holds(c => c.Cutovers.All(h =>
        h.Steps.OfType<StopStep>().Select(s => s.Running).SequenceEqual(h.From is null ? [] : [h.From])));

    [Test]
    public void No_wave_is_larger_than_the_batch_and_waves_are_numbered() => Holds(c =>
        c.Plan.Waves.All(w => w.Hosts.Count >= 1 && w.Hosts.Count <= c.Manifest.Strategy.Batch.AtMostOf(c.Manifest.Hosts.Count))
        && c.Plan.Waves.Select(w => w.Number).SequenceEqual(Enumerable.Range(1, c.Plan.Waves.Count)));

    [Test]
    public void Hosts_that_serve_nothing_come_before_those_that_serve() => Holds(c =>
        c.Cutovers.SkipWhile(h => !IsServing(c.Fleet, h.Host)).All(h => IsServing(c.Fleet, h.Host)));

    [Test]
    public void Every_step_has_a_key_of_its_own() => Holds(c =>
        c.Steps.Select(s => s.Key).Distinct().Count() == c.Steps.Count());

    /// <summary>Plays the waves with the hosts of each drained in any order: enough others are up whenever a host is drained.</summary>
    [Test]
    public void No_drain_asks_for_more_others_than_there_are_nor_lets_the_last_one_go() => Holds(c =>
    {
        var up = c.Manifest.Hosts.Select(h => h.Name).Where(h => IsServing(c.Fleet, h)).ToHashSet();
        foreach (var wave in c.Plan.Waves)
        {
            var outside = up.Except(wave.Hosts.Select(h => h.Host)).Count();
            foreach (var drain in wave.Hosts.SelectMany(h => h.Steps).OfType<DrainStep>())
            {
                if (drain.MinOthersUp > outside) return false;
                if (outside > 0 && drain.MinOthersUp == 0 && IsServing(c.Fleet, drain.Host)) return false;
            }

            up.UnionWith(wave.Hosts.Select(h => h.Host));
        }

        return true;
    });

    [Test]
    public void Rolling_back_what_a_deployment_touched_restores_the_start() => Holds(c =>
    {
        var after = Play(c.Fleet, c.Plan);
        var back = c.Cutovers.Reverse().Select(h => new HostRollback(h.Host, h.From, "undone", Running(c.Fleet, h.Host)?.Slot)).ToList();

        var restored = Play(after, Made(Planner.MakeRollback(c.Manifest, after, back)));

        return c.Manifest.Hosts.All(h => Same(Running(restored, h.Name), Running(c.Fleet, h.Name)));
    });

    [Test]
    public void A_plan_is_printed_host_by_host_and_the_same_each_time() => Holds(c =>
    {
        var lines = PlanText.Of(c.Plan).ToList();
        var again = PlanText.Of(Made(Planner.MakeDeployment(c.Manifest, c.Fleet, New))).ToList();
        return lines.SequenceEqual(again) && c.Manifest.Hosts.All(h => lines.Any(l => l.Contains(h.Name.Value, StringComparison.Ordinal)));
    });

    private static Comparer<HostName> ByName => Comparer<HostName>.Create((a, b) => string.CompareOrdinal(a.Value, b.Value));

    private static void Holds(Func<Case, bool> property) => Cases.Sample(property, iter: 1_000);

    private static bool IsServing(FleetObservation fleet, HostName host) => Running(fleet, host) is { Healthy: true };

    private static RunningInstance? Running(FleetObservation fleet, HostName host) => ((HostObservation.Seen)fleet.Hosts[host]).Instances.SingleOrDefault();

    private static bool Same(RunningInstance? one, RunningInstance? other)
        => one?.Release == other?.Release && one?.Slot.Port == other?.Slot.Port;

    /// <summary>What the fleet is after a plan went well.</summary>
    private static FleetObservation Play(FleetObservation fleet, Plan plan)
    {
        var hosts = fleet.Hosts.ToDictionary();
        foreach (var step in plan.Waves.SelectMany(w => w.Hosts).SelectMany(h => h.Steps))
        {
            var before = (HostObservation.Seen)hosts[step.Host];
            hosts[step.Host] = step switch
            {
                StopStep => before with { Instances = [] },
                StartStep start => before with { Instances = [new RunningInstance(start.Release, Healthy: true, start.At.Slot)] },
                _ => before,
            };
        }

        return new FleetObservation(hosts);
    }

    internal sealed record Case(DeploymentManifest Manifest, FleetObservation Fleet, Plan Plan)
    {
        public IEnumerable<HostCutover> Cutovers => Plan.Waves.SelectMany(w => w.Hosts);

        public IEnumerable<Step> Steps => Plan.Preparation.SelectMany(p => p.Steps).Concat(Cutovers.SelectMany(h => h.Steps)).Concat(Plan.Completion);

        public static Case Of(int[] states, int balancers, string batch, int migrationHost)
        {
            var more = migrationHost < states.Length ? $"migrations: {{ run: x, host: web{migrationHost + 1} }}" : "";
            var manifest = Fleets.ManifestOf(states.Length, balancers, batch, more);
            var fleet = Observe(manifest, [.. states.Select(s => States[s])]);
            return new Case(manifest, fleet, Made(Planner.MakeDeployment(manifest, fleet, New)));
        }

        public override string ToString() => string.Join('\n', PlanText.Of(Plan));
    }
}
