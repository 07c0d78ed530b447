using Decant.Controller.Execution;
using Decant.Controller.Planning;
using Decant.Errors;

namespace Decant.Controller.Tests.Execution;

public class DeploymentTests
{
    [Test]
    public void Deploying_what_runs_already_does_nothing_and_says_so()
    {
        using var simulation = new Simulation(seed: 1);
        simulation.Deploy();
        var done = simulation.Fleet.Done.Count;

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.NothingToDo));
            Assert.That(outcome.ExitCode, Is.EqualTo(ExitCode.Success));
            Assert.That(outcome.Summary, Does.Contain("nothing to do"));
            Assert.That(simulation.Fleet.Done, Has.Count.EqualTo(done));
        });
    }

    [Test]
    public void A_host_that_fails_within_the_budget_is_passed_over_and_stays_out_of_rotation()
    {
        using var simulation = new Simulation(seed: 1, budget: 1, faults: Fails("web2/await-healthy"));

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(outcome.Hosts[1].Position, Is.EqualTo(HostPosition.OutOfRotation));
            Assert.That(outcome.Summary, Does.Contain("web2").And.Contain("budget"));
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(2));
            Assert.That(simulation.Fleet.RunningOn(simulation.Manifest.Hosts[2].Name), Is.EqualTo(Simulation.New));
            Assert.That(simulation.Events.OfType<HostFailed>().Single().PassedOver, Is.True);
            Assert.That(simulation.Fleet.Violations, Is.Empty);
        });
    }

    [Test]
    public void A_host_whose_drain_fails_within_the_budget_is_put_back_where_it_was_taken_out()
    {
        using var simulation = new Simulation(seed: 1, budget: 1, faults: Fails("web2/drain/edge2"));

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3), outcome.Summary);
            Assert.That(simulation.Fleet.RunningOn(simulation.Manifest.Hosts[1].Name), Is.EqualTo(Simulation.Old));
        });
    }

    [Test]
    public void Without_automatic_rollback_the_other_hosts_of_the_wave_are_finished_and_a_person_is_asked_for()
    {
        using var simulation = new Simulation(seed: 3, batch: 2, autoRollback: false, faults: Fails("web1/start"));

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.FailedPartly));
            Assert.That(outcome.ExitCode, Is.EqualTo(ExitCode.NeedsAttention));
            Assert.That(outcome.Hosts.Select(h => h.Position), Is.EqualTo(new[] { HostPosition.OutOfRotation, HostPosition.Done, HostPosition.Untouched }));
        });
    }

    [Test]
    public void A_release_that_failed_is_refused_until_it_is_wanted_again()
    {
        var broken = true;
        using var simulation = new Simulation(seed: 1, faults: (step, op) => broken ? Fails("web1/await-healthy")(step, op) : Fault.None);
        var failed = simulation.Deploy();
        broken = false;

        var refusal = Assert.Throws<OperatorException>(() => simulation.Deploy())!.Error;
        var again = simulation.Deploy(again: true);

        Assert.Multiple(() =>
        {
            Assert.That(refusal.Reason, Is.EqualTo(Refusals.ReleaseFailedBefore));
            Assert.That(refusal.Message, Does.Contain(failed.Id.Value));
            Assert.That(ExitCodes.Of(refusal), Is.EqualTo(ExitCode.Refused));
            Assert.That(again.Status, Is.EqualTo(DeploymentStatus.Succeeded));
            Assert.That(simulation.Journal.FailuresOf(simulation.Manifest.App), Is.Empty);
        });
    }

    [TestCase("web2/drain/edge1")]
    [TestCase("web2/start")]
    public void A_host_that_failed_within_the_budget_is_named_in_the_summary_and_what_to_do_about_it(string key)
    {
        using var simulation = new Simulation(seed: 1, budget: 1, faults: Fails(key));

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(outcome.Summary, Does.Contain("runs on 2 hosts.").And.Contain("web2 failed within the budget"));
            Assert.That(outcome.WhatNext, Does.Contain("decant deploy"));
        });
    }

    [Test]
    public void No_wave_begins_that_would_leave_too_few_hosts_because_one_has_failed_within_the_budget()
    {
        using var simulation = new Simulation(seed: 1, budget: 1, min: 2, faults: Fails("web1/start"));

        var outcome = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.RolledBack), outcome.Summary);
            Assert.That(outcome.Summary, Does.StartWith("Web1: start failed"));
            Assert.That(simulation.Events.OfType<StepStarted>().Select(s => s.Run.Step.Key), Has.None.StartsWith("web2/drain"));
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
        });
    }

    [Test]
    public void An_operators_rollback_takes_every_host_back()
    {
        using var simulation = new Simulation(seed: 1);
        simulation.Deploy();

        var outcome = simulation.Rollback();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.Old));
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
        });
    }

    [Test]
    public void Of_two_deployments_of_an_app_at_once_the_second_is_refused_and_told_who_is_at_it()
    {
        using var simulation = new Simulation(seed: 1);
        OperatorError? refusal = null;
        simulation.OnEvent = e =>
        {
            if (e is StepStarted && refusal is null) refusal = Assert.Throws<OperatorException>(() => simulation.Deploy())!.Error;
        };

        simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(refusal!.Reason, Is.EqualTo(Refusals.DeploymentRuns));
            Assert.That(refusal.Message, Does.Contain($"pid {Environment.ProcessId}").And.Contain("deploying shop 2.0.0"));
        });
    }

    private static Func<Step, Decant.Names.OperationId, Fault> Fails(string key)
        => (step, operation) => step.Key == key && !Simulation.IsRollback(operation) ? Fault.Fails : Fault.None;
}
