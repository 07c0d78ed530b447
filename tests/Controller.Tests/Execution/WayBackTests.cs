using Decant.Controller.Execution;
using Decant.Controller.Planning;
using Decant.Errors;

namespace Decant.Controller.Tests.Execution;

/// <summary>Where an operator's rollback goes after deployments that did not end: never further back than these began.</summary>
public class WayBackTests
{
    [Test]
    public void A_rollback_after_a_deployment_that_failed_halfway_leaves_the_hosts_alone_that_it_never_touched()
    {
        using var simulation = new Simulation(
            seed: 1, autoRollback: false, faults: (step, _) => step is StartStep { Key: "web2/start" } start && start.Release == Simulation.New ? Fault.Fails : Fault.None);
        simulation.Fleet.Earlier = Simulation.Older;
        var failed = simulation.Deploy();

        var outcome = simulation.Rollback();

        Assert.Multiple(() =>
        {
            Assert.That(failed.Status, Is.EqualTo(DeploymentStatus.FailedPartly), failed.Summary);
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.Old));
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
            Assert.That(simulation.Fleet.Done, Has.None.StartsWith("web3/stop"));
        });
    }

    [TestCaseSource(nameof(Everywhere))]
    public void A_deployment_that_was_stopped_at_any_step_is_undone_by_a_rollback_and_no_more(int at)
    {
        using var simulation = new Simulation(seed: at);
        simulation.Fleet.Earlier = Simulation.Older;
        using var stop = new StopSignal();
        StopAt(simulation, at, stop.Request);
        var stopped = simulation.Deploy(stop);
        Assert.That(stopped.Status, Is.EqualTo(DeploymentStatus.Stopped), stopped.Summary);
        simulation.OnEvent = null;
        var touched = stopped.Hosts.Any(h => h.Position != HostPosition.Untouched);

        if (touched) simulation.Rollback();
        else Assert.That(() => simulation.Rollback(), Throws.TypeOf<OperatorException>().With.Message.Contains("touched no instance"));

        Assert.Multiple(() =>
        {
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.Old));
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
            Assert.That(simulation.Fleet.Violations, Is.Empty);
        });
    }

    [Test]
    public void A_rollback_after_a_rollback_that_was_stopped_goes_on_with_it()
    {
        using var simulation = new Simulation(seed: 1);
        simulation.Deploy();
        using var stop = new StopSignal();
        simulation.OnEvent = e =>
        {
            if (e is HostDone) stop.Request();
        };
        var stopped = simulation.Rollback(stop);
        simulation.OnEvent = null;

        var outcome = simulation.Rollback();

        Assert.Multiple(() =>
        {
            Assert.That(stopped.Status, Is.EqualTo(DeploymentStatus.Stopped), stopped.Summary);
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.Old));
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
        });
    }

    private static void StopAt(Simulation simulation, int at, Action request)
    {
        var started = 0;
        simulation.OnEvent = e =>
        {
            if (e is StepStarted && started++ == at) request();
        };
    }

    private static IEnumerable<int> Everywhere()
    {
        using var simulation = new Simulation(seed: 1);
        simulation.Deploy();
        // Not the pruning at the end: it is past the last step between which a deployment can be stopped.
        return [.. Enumerable.Range(0, simulation.Events.OfType<StepStarted>().Count(e => e.Run.Step is not PruneStep) - 1)];
    }
}
