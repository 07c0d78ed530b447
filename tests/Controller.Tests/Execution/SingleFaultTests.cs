using Decant.Controller.Execution;

namespace Decant.Controller.Tests.Execution;

/// <summary>Every step of a deployment over three hosts and two balancers goes wrong in turn, in every way that it can.</summary>
public class SingleFaultTests
{
    private static readonly string[] AllSteps = Steps();

    private static IEnumerable<TestCaseData> Cases(params Fault[] faults)
        => AllSteps.SelectMany(key => faults.Select(fault => new TestCaseData(key, fault)));

    private static IEnumerable<TestCaseData> Passing() => Cases(Fault.BreaksBefore, Fault.BreaksAfter);

    private static IEnumerable<TestCaseData> Restarts() => AllSteps
        .Where(key => Verb(key) != "migrate").Select(key => new TestCaseData(key, Fault.Interrupted));

    private static IEnumerable<TestCaseData> Fatal() => Cases(Fault.Fails, Fault.Lost).Concat(Silences());

    private static IEnumerable<TestCaseData> Silences() => AllSteps
        .Where(key => Verb(key) is "drain" or "undrain").Select(key => new TestCaseData(key, Fault.FallsSilent));

    private static IEnumerable<TestCaseData> Deaths() => Cases(Fault.AgentDies);

    [TestCaseSource(nameof(Passing))]
    [TestCaseSource(nameof(Restarts))]
    public void A_connection_that_breaks_in_a_step_costs_nothing_but_time(object key, object fault)
    {
        using var simulation = With((string)key, (Fault)fault);

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.New));
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
            Sound(simulation, fewest: 2);
        });
    }

    [TestCaseSource(nameof(Fatal))]
    public void A_step_that_fails_leaves_every_host_serving_what_it_served(object key, object fault)
    {
        using var simulation = With((string)key, (Fault)fault);

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Sound(simulation, fewest: 2);
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3), outcome.Summary);
            if (Verb((string)key) == "prune")
            {
                Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded));
                Assert.That(outcome.Summary, Does.Contain("prune"));
                return;
            }

            var isPreparation = Verb((string)key) is "stage" or "preflight" or "migrate";
            Assert.That(outcome.Status, Is.EqualTo(isPreparation ? DeploymentStatus.FailedUntouched : DeploymentStatus.RolledBack), outcome.Summary);
            Assert.That(outcome.ExitCode, Is.EqualTo(ExitCode.FailedSafely));
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.Old));
            Assert.That(outcome.Failure!.Run.Step.Key, Is.EqualTo(key));
            Assert.That(outcome.Summary, Does.Contain(((string)key).Split('/')[0]));
            if (isPreparation) Assert.That(simulation.Fleet.Done.Where(d => d.Contains("drain") || d.EndsWith("stop")), Is.Empty);
            var failedHost = int.Parse(((string)key)[3..4]);
            if (!isPreparation)
                Assert.That(simulation.Fleet.Done.Where(d => int.Parse(d[3..4]) > failedHost && EarlierAttempts.IsCutover(Verb(d))), Is.Empty, "hosts of later waves are untouched");
        });
    }

    [TestCase("web2/drain/edge1")]
    [TestCase("web2/drain/edge2")]
    public void A_host_whose_balancer_falls_silent_in_its_drain_is_put_back_although_nothing_is_rolled_back(string key)
    {
        using var simulation = new Simulation(seed: 1, autoRollback: false, faults: (step, _) => step.Key == key ? Fault.FallsSilent : Fault.None);

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.FailedPartly), outcome.Summary);
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3), outcome.Summary);
            Assert.That(outcome.Hosts.Select(h => h.Position), Is.EqualTo(new[] { HostPosition.Done, HostPosition.Untouched, HostPosition.Untouched }), outcome.Summary);
            Sound(simulation, fewest: 2);
        });
    }

    [TestCaseSource(nameof(Deaths))]
    public void An_agent_that_dies_for_good_is_named_and_the_others_serve(object key, object fault)
    {
        using var simulation = With((string)key, (Fault)fault);

        var outcome = simulation.Deploy();

        var isPreparation = Verb((string)key) is "stage" or "preflight" or "migrate";
        var deadBalancer = ((string)key).Contains("edge");
        Assert.Multiple(() =>
        {
            Sound(simulation, fewest: 1);
            Assert.That(outcome.Status, Is.EqualTo(
                Verb((string)key) == "prune" ? DeploymentStatus.Succeeded
                : isPreparation ? DeploymentStatus.FailedUntouched
                : DeploymentStatus.FailedPartly), outcome.Summary);
            Assert.That(outcome.Summary, Does.Contain(((string)key).Split('/')[0]));
            if (outcome.Status == DeploymentStatus.FailedPartly) Assert.That(outcome.WhatNext, Does.Contain($"decant resume {outcome.Id}"));
            if (!deadBalancer) Assert.That(simulation.Fleet.InRotation, Is.GreaterThanOrEqualTo(2));
        });

        if (outcome.Status != DeploymentStatus.FailedPartly) return;
        simulation.Fleet.Revive();
        var resumed = With(simulation, outcome);
        Assert.Multiple(() =>
        {
            Assert.That(resumed.Status, Is.EqualTo(DeploymentStatus.RolledBack), resumed.Summary);
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.Old));
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
            Sound(simulation, fewest: 1);
        });
    }

    private static DeploymentOutcome With(Simulation simulation, DeploymentOutcome outcome) => simulation.Resume(outcome.Id);

    private static void Sound(Simulation simulation, int fewest)
    {
        Assert.That(simulation.Fleet.Violations, Is.Empty);
        Assert.That(simulation.Fleet.FewestInRotation, Is.GreaterThanOrEqualTo(fewest));
        Assert.That(simulation.Events[^1], Is.TypeOf<DeploymentEnded>());
        var ended = simulation.Journal.Find(simulation.Events[^1].Deployment)!;
        Assert.That(ended.Status, Is.EqualTo(simulation.Events.OfType<DeploymentEnded>().Last().Outcome.Status));
        Assert.That(simulation.Journal.StepsOf(ended.Id).Where(s => s.End is null), Is.Empty);
    }

    // The fault strikes the first attempt going forward; what follows is sound.
    private static Simulation With(string key, Fault fault) => new(
        seed: 1,
        faults: (step, operation) => step.Key == key && !Simulation.IsRollback(operation) && !operation.Value.Contains("/2/", StringComparison.Ordinal) ? fault : Fault.None);

    private static string Verb(string key) => key.Split('/')[1];

    private static string[] Steps()
    {
        using var simulation = new Simulation(seed: 1);
        simulation.Deploy();
        return [.. simulation.Events.OfType<StepStarted>().Select(s => s.Run.Step.Key)];
    }
}
