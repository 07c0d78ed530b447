using Decant.Controller.Execution;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Controller.Tests.Execution;

/// <summary>A lease that is lost at every step of a deployment.</summary>
public class LeaseLossTests
{
    private static readonly OperatorError Loss = new(StatusCode.FailedPrecondition, Refusals.LeaseLost, "the lease of shop is lost: it is held by bob on ops2", "look");

    private static IEnumerable<int> Everywhere() => Enumerable.Range(1, StepCount());

    [TestCaseSource(nameof(Everywhere))]
    public void A_deployment_that_loses_its_lease_begins_and_undoes_nothing_more_and_goes_on_when_it_is_resumed(int at)
    {
        using var simulation = new Simulation(seed: at);
        var leases = (FreeLeases)simulation.Fleet.Leases;
        var begun = 0;
        simulation.OnEvent = item =>
        {
            if (item is StepStarted && ++begun == at) leases.Loss = Loss;
        };

        var outcome = simulation.Deploy();
        leases.Loss = null;
        var record = simulation.Journal.Find(outcome.Id)!;

        // After the last cutover there is nothing left but old releases to prune.
        if (outcome.Status == DeploymentStatus.Succeeded)
        {
            Assert.That(at, Is.GreaterThanOrEqualTo(StepCount() - simulation.Manifest.Hosts.Count));
            return;
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.LeaseLost), outcome.Summary);
            Assert.That(outcome.ExitCode, Is.EqualTo(ExitCode.NeedsAttention));
            Assert.That(outcome.Summary, Does.StartWith("Stopped at once: the lease of shop is lost: it is held by bob on ops2."));
            Assert.That(outcome.WhatNext, Does.Contain($"decant resume {outcome.Id}"));
            Assert.That(simulation.Events.OfType<RollbackStarted>(), Is.Empty);
            Assert.That(record.RollingBack, Is.False);
            Assert.That(begun, Is.LessThan(StepCount()));
        }

        simulation.OnEvent = null;
        Assert.That(simulation.Resume(outcome.Id).Status, Is.EqualTo(DeploymentStatus.Succeeded));
        Assert.That(simulation.Fleet.Violations, Is.Empty);
        Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.New));
    }

    private static int StepCount()
    {
        using var simulation = new Simulation(seed: 1);
        simulation.Deploy();
        return simulation.Events.OfType<StepStarted>().Count();
    }
}
