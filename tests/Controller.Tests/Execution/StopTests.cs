using Decant.Controller.Execution;

namespace Decant.Controller.Tests.Execution;

/// <summary>Ctrl-C, once and twice, at every step of a deployment, and going on afterwards.</summary>
public class StopTests
{
    private static IEnumerable<int> Everywhere() => Enumerable.Range(0, StepCount());

    [TestCaseSource(nameof(Everywhere))]
    public void Stopped_at_any_step_a_deployment_finishes_that_step_and_goes_on_when_resumed(int at)
    {
        using var simulation = new Simulation(seed: at);
        using var stop = new StopSignal();
        StopAt(simulation, at, stop.Request);

        var stopped = simulation.Deploy(stop);
        var resumed = stopped.Status == DeploymentStatus.Stopped ? simulation.Resume(stopped.Id) : stopped;

        Assert.Multiple(() =>
        {
            if (stopped.Status != DeploymentStatus.Succeeded)
            {
                Assert.That(stopped.Status, Is.EqualTo(DeploymentStatus.Stopped), stopped.Summary);
                Assert.That(stopped.ExitCode, Is.EqualTo(ExitCode.Stopped));
                Assert.That(stopped.WhatNext, Does.Contain($"decant resume {stopped.Id}"));
            }

            Converged(simulation, resumed);
        });
    }

    [TestCaseSource(nameof(Everywhere))]
    public void Aborted_at_any_step_a_deployment_goes_on_when_resumed(int at)
    {
        using var simulation = new Simulation(seed: at);
        using var stop = new StopSignal();
        StopAt(simulation, at, () =>
        {
            stop.Request();
            stop.Request();
        });

        var aborted = simulation.Deploy(stop);
        var resumed = aborted.Status == DeploymentStatus.Aborted ? simulation.Resume(aborted.Id) : aborted;

        Assert.Multiple(() =>
        {
            Converged(simulation, resumed);
        });
    }

    [TestCaseSource(nameof(Everywhere))]
    public void What_a_stopped_deployment_left_out_of_rotation_the_next_one_puts_back(int at)
    {
        using var simulation = new Simulation(seed: at);
        using var stop = new StopSignal();
        StopAt(simulation, at, stop.Request);
        simulation.Deploy(stop);

        simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.New));
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
        });
    }

    private static void Converged(Simulation simulation, DeploymentOutcome outcome)
    {
        Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
        Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.New));
        Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
        Assert.That(simulation.Fleet.FewestInRotation, Is.GreaterThanOrEqualTo(2));
        Assert.That(simulation.Fleet.Violations, Is.Empty);
        Assert.That(simulation.Fleet.Done.Count(d => d.EndsWith("/migrate", StringComparison.Ordinal)), Is.EqualTo(1));
    }

    private static void StopAt(Simulation simulation, int at, Action request)
    {
        var started = 0;
        simulation.OnEvent = e =>
        {
            if (e is StepStarted && started++ == at) request();
        };
    }

    private static int StepCount()
    {
        using var simulation = new Simulation(seed: 1);
        simulation.Deploy();
        return simulation.Events.OfType<StepStarted>().Count();
    }
}
