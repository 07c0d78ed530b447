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

    [TestCaseSource(nameof(Everywhere))]
    public void What_was_left_out_of_rotation_is_put_back_although_the_deployment_that_meant_to_was_stopped_before_it_could(int at)
    {
        using var simulation = new Simulation(seed: at);
        using var stop = new StopSignal();
        StopAt(simulation, at, stop.Request);
        simulation.Deploy(stop);
        simulation.WaitASecond();
        using var early = new StopSignal();
        StopAt(simulation, 0, early.Request);
        var second = simulation.Deploy(early);
        simulation.OnEvent = null;

        var last = at % 2 == 0 && second.Status == DeploymentStatus.Stopped ? simulation.Resume(second.Id) : simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.New), last.Summary);
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3), last.Summary);
        });
    }

    [Test]
    public void A_stop_on_another_thread_never_holds_up_the_deployment_for_ever_whatever_is_written_down_just_then()
    {
        var readings = 0;
        using (var whole = new Simulation(seed: 1))
        {
            whole.Turns.OnClock = () => readings++;
            whole.Deploy();
        }

        for (var at = 0; at < readings; at++)
        {
            using var simulation = new Simulation(seed: 1);
            using var stop = new StopSignal();
            RequestAtReading(simulation, at, stop);

            var deployment = Task.Run(() => simulation.Deploy(stop));

            Assert.That(deployment.Wait(TimeSpan.FromSeconds(20)), $"it ends after a stop at reading {at} of the clock");
            Assert.That(deployment.Result.Status, Is.EqualTo(DeploymentStatus.Stopped).Or.EqualTo(DeploymentStatus.Succeeded), deployment.Result.Summary);
        }
    }

    /// <summary>A signal comes on a thread of its own. The deployment goes on when that one is through, or waits for a lock.</summary>
    private static void RequestAtReading(Simulation simulation, int at, StopSignal stop)
    {
        var reading = 0;
        simulation.Turns.OnClock = () =>
        {
            if (reading++ != at) return;
            var thread = new Thread(stop.Request) { IsBackground = true };
            thread.Start();
            SpinWait.SpinUntil(() => !thread.IsAlive || (thread.ThreadState & ThreadState.WaitSleepJoin) != 0, TimeSpan.FromSeconds(5));
        };
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
