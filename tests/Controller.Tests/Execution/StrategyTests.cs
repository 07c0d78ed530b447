using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;

namespace Decant.Controller.Tests.Execution;

/// <summary>Every strategy by every cutover on simulated hosts: forward, back, and from wherever it was left.</summary>
public class StrategyTests
{
    private static readonly CanaryPolicy OneCanary = new(
        new HostShare.Count(1), 100, TimeSpan.FromSeconds(60), Promotion.Auto, new CanaryTolerance(ErrorPoints: 1, Slowdown: 1.5));

    private static IEnumerable<TestCaseData> Ways()
    {
        yield return new TestCaseData(StrategyKind.Rolling, true, 3);
        yield return new TestCaseData(StrategyKind.Rolling, true, 1);
        yield return new TestCaseData(StrategyKind.BlueGreen, true, 3);
        yield return new TestCaseData(StrategyKind.BlueGreen, true, 1);
        yield return new TestCaseData(StrategyKind.Canary, true, 3);
        yield return new TestCaseData(StrategyKind.Canary, false, 3);
        yield return new TestCaseData(StrategyKind.Recreate, false, 3);
    }

    [TestCaseSource(nameof(Ways))]
    public void A_deployment_ends_with_the_new_release_in_rotation_everywhere_and_a_second_one_likewise(StrategyKind kind, bool isSwitch, int hosts)
    {
        using var simulation = Of(kind, isSwitch, hosts);

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Ended(simulation, Simulation.New, hosts);
            Assert.That(simulation.Fleet.FewestInRotation, Is.GreaterThanOrEqualTo(kind == StrategyKind.Recreate ? 0 : isSwitch ? hosts : hosts - 1));
        });
        if (kind != StrategyKind.Recreate) Assert.That(simulation.Deploy().Status, Is.EqualTo(DeploymentStatus.NothingToDo));
    }

    [TestCaseSource(nameof(Ways))]
    public void A_rollback_after_it_takes_every_host_back(StrategyKind kind, bool isSwitch, int hosts)
    {
        using var simulation = Of(kind, isSwitch, hosts);
        simulation.Deploy();
        var before = simulation.Fleet.Done.Count;

        var outcome = simulation.Rollback();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Ended(simulation, Simulation.Old, hosts);
            if (isSwitch) Assert.That(simulation.Fleet.Done.Skip(before).Where(d => d.Contains("/start", StringComparison.Ordinal)), Is.Empty, "the old instance is still warm");
        });
    }

    [TestCaseSource(nameof(Ways))]
    public void Stopped_at_any_step_it_goes_on_when_resumed(StrategyKind kind, bool isSwitch, int hosts)
    {
        for (var at = 0; ; at++)
        {
            using var simulation = Of(kind, isSwitch, hosts, seed: at);
            using var stop = new StopSignal();
            var left = at;
            simulation.OnEvent = e =>
            {
                if (e is StepStarted && left-- == 0) stop.Request();
            };

            var stopped = simulation.Deploy(stop);
            if (left >= 0) return;
            var resumed = stopped.Status == DeploymentStatus.Stopped ? simulation.Resume(stopped.Id) : stopped;

            Assert.Multiple(() =>
            {
                Assert.That(resumed.Status, Is.EqualTo(DeploymentStatus.Succeeded), $"stopped at step {at}: {stopped.Summary} / {resumed.Summary}");
                Ended(simulation, Simulation.New, hosts);
            });
        }
    }

    [TestCaseSource(nameof(Ways))]
    public void Aborted_after_a_stop_at_any_step_every_host_serves_what_it_served(StrategyKind kind, bool isSwitch, int hosts)
    {
        for (var at = 0; ; at++)
        {
            using var simulation = Of(kind, isSwitch, hosts, seed: at);
            using var stop = new StopSignal();
            var left = at;
            simulation.OnEvent = e =>
            {
                if (e is StepStarted && left-- == 0) stop.Request();
            };

            var stopped = simulation.Deploy(stop);
            if (left >= 0) return;
            if (stopped.Status != DeploymentStatus.Stopped) continue;
            var aborted = simulation.Abort(stopped.Id);

            Assert.Multiple(() =>
            {
                Assert.That(aborted.Status, Is.EqualTo(DeploymentStatus.RolledBack), $"stopped at step {at}: {stopped.Summary} / {aborted.Summary}");
                Ended(simulation, Simulation.Old, hosts);
            });
        }
    }

    [TestCaseSource(nameof(Ways))]
    public void A_step_that_fails_takes_everything_back(StrategyKind kind, bool isSwitch, int hosts)
    {
        foreach (var key in StepsOf(kind, isSwitch, hosts).Where(k => !k.Contains("/prune", StringComparison.Ordinal)))
        {
            using var simulation = Of(
                kind, isSwitch, hosts, faults: (step, operation) => step.Key == key && !Simulation.IsRollback(operation) ? Fault.Fails : Fault.None);

            var outcome = simulation.Deploy();

            Assert.Multiple(() =>
            {
                Assert.That(outcome.ExitCode, Is.EqualTo(ExitCode.FailedSafely), $"{key}: {outcome.Summary}");
                Ended(simulation, Simulation.Old, hosts, key);
            });
        }
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Recreate_starts_nothing_while_a_host_could_not_be_stopped_whatever_the_failure_budget(bool isSwitch)
    {
        using var simulation = new Simulation(
            seed: 1, budget: 1, kind: StrategyKind.Recreate, isSwitch: isSwitch, faults: (step, operation) => step is DrainStep { Host.Value: "web2" } && !Simulation.IsRollback(operation) ? Fault.Fails : Fault.None);

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.RolledBack), outcome.Summary);
            Ended(simulation, Simulation.Old, 3);
        });
    }

    [TestCase("drain/edge1")]
    [TestCase("stop")]
    public void Recreate_takes_no_host_back_up_while_another_could_not_be_taken_down(string key)
    {
        var calm = false;
        using var simulation = new Simulation(
            seed: 1,
            kind: StrategyKind.Recreate,
            faults: (step, operation) => calm ? Fault.None
                : Simulation.IsRollback(operation) ? (step.Key == $"web1/{key}" ? Fault.Fails : Fault.None)
                : step.Key == "web3/undrain/edge2" ? Fault.Fails : Fault.None);

        var failed = simulation.Deploy();
        calm = true;
        var resumed = simulation.Resume(failed.Id);

        Assert.Multiple(() =>
        {
            Assert.That(failed.Status, Is.EqualTo(DeploymentStatus.FailedPartly), failed.Summary);
            Assert.That(resumed.Status, Is.EqualTo(DeploymentStatus.RolledBack), resumed.Summary);
            Ended(simulation, Simulation.Old, 3);
        });
    }

    [Test]
    public void Blue_green_moves_the_traffic_of_all_hosts_in_one_step_for_each_balancer()
    {
        using var simulation = Of(StrategyKind.BlueGreen, isSwitch: true, hosts: 3);

        simulation.Deploy();

        var moves = simulation.Events.OfType<StepStarted>().Select(s => s.Run.Step).OfType<MoveStep>().ToList();
        Assert.That(moves.Select(m => (m.Balancer.Key.Value, m.Moves.Count)), Is.EquivalentTo(new[] { ("edge1", 3), ("edge2", 3) }));
    }

    [Test]
    public void A_canary_with_five_percent_errors_is_stopped_at_the_first_wave_with_the_figures_in_the_message()
    {
        using var simulation = Of(StrategyKind.Canary, isSwitch: false, hosts: 3);
        simulation.Fleet.Answers = release => release == Simulation.New ? (200, 10, 10) : (200, 0, 10);

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.RolledBack), outcome.Summary);
            Assert.That(outcome.Failure!.Error.Reason, Is.EqualTo("CANARY_FAILED"));
            Assert.That(outcome.Summary, Does.Contain("5 % errors").And.Contain("web1"));
            Assert.That(simulation.Fleet.Done.Where(d => d.EndsWith("/start", StringComparison.Ordinal)), Is.EqualTo(new[] { "web1/start", "web1/start" }), "forward and back, and no other host");
            Ended(simulation, Simulation.Old, 3);
        });
    }

    [Test]
    public void A_canary_that_is_three_times_slower_is_stopped_at_the_first_wave()
    {
        using var simulation = Of(StrategyKind.Canary, isSwitch: true, hosts: 3);
        simulation.Fleet.Answers = release => release == Simulation.New ? (200, 0, 90) : (200, 0, 30);

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.RolledBack), outcome.Summary);
            Assert.That(outcome.Summary, Does.Contain("90 ms").And.Contain("30 ms"));
            Ended(simulation, Simulation.Old, 3);
        });
    }

    [Test]
    public void A_good_canary_promotes_itself()
    {
        using var simulation = Of(StrategyKind.Canary, isSwitch: false, hosts: 3);
        simulation.Fleet.Answers = _ => (200, 1, 12);

        Assert.That(simulation.Deploy().Status, Is.EqualTo(DeploymentStatus.Succeeded));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_canary_that_is_promoted_by_hand_waits_and_then_the_rest_follows(bool isSwitch)
    {
        using var simulation = new Simulation(
            seed: 1, kind: StrategyKind.Canary, isSwitch: isSwitch, canary: OneCanary with { Promote = Promotion.Manual, Weight = 10 });

        var waiting = simulation.Deploy();
        var onCanary = simulation.Manifest.Hosts.Count(h => simulation.Fleet.RunningOn(h.Name) == Simulation.New);
        var promoted = simulation.Promote(waiting.Id);

        Assert.Multiple(() =>
        {
            Assert.That(waiting.ExitCode, Is.EqualTo(ExitCode.AwaitingPromotion), waiting.Summary);
            Assert.That(waiting.WhatNext, Does.Contain($"decant promote {waiting.Id}").And.Contain($"decant abort {waiting.Id}"));
            if (!isSwitch) Assert.That(onCanary, Is.EqualTo(1));
            Assert.That(promoted.Status, Is.EqualTo(DeploymentStatus.Succeeded), promoted.Summary);
            Assert.That(promoted.Summary, Does.StartWith("shop 2.0.0 runs on 3 hosts."), "the canary is counted once");
            Ended(simulation, Simulation.New, 3);
        });
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_canary_that_waits_can_be_taken_back(bool isSwitch)
    {
        using var simulation = new Simulation(
            seed: 1, kind: StrategyKind.Canary, isSwitch: isSwitch, canary: OneCanary with { Promote = Promotion.Manual, Weight = 10 });
        var waiting = simulation.Deploy();

        var aborted = simulation.Abort(waiting.Id);

        Assert.Multiple(() =>
        {
            Assert.That(aborted.Status, Is.EqualTo(DeploymentStatus.RolledBack), aborted.Summary);
            Ended(simulation, Simulation.Old, 3);
        });
    }

    private static Simulation Of(
        StrategyKind kind, bool isSwitch, int hosts, int seed = 1, Func<Step, Decant.Names.OperationId, Fault>? faults = null) => new(
            seed,
            hosts,
            faults: faults,
            kind: kind,
            isSwitch: isSwitch,
            canary: kind == StrategyKind.Canary ? OneCanary : null);

    private static List<string> StepsOf(StrategyKind kind, bool isSwitch, int hosts)
    {
        using var simulation = Of(kind, isSwitch, hosts);
        simulation.Deploy();
        return [.. simulation.Events.OfType<StepStarted>().Select(s => s.Run.Step).Where(s => s is not BakeStep).Select(s => s.Key)];
    }

    private static void Ended(Simulation simulation, Decant.Names.ReleaseId release, int hosts, string where = "")
    {
        Assert.That(simulation.Fleet.Violations, Is.Empty, where);
        Assert.That(simulation.Fleet.Running, Is.All.EqualTo(release), where);
        Assert.That(simulation.Fleet.InRotation, Is.EqualTo(hosts), where);
        Assert.That(simulation.Manifest.Hosts.Sum(h => simulation.Fleet.LeftOver(h.Name)), Is.Zero, $"instances left running {where}");
        Assert.That(simulation.Fleet.Done.Count(d => d.EndsWith("/migrate", StringComparison.Ordinal)), Is.LessThanOrEqualTo(1), where);
    }
}
