using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Planning;

namespace Decant.Controller.Tests.Execution;

/// <summary>A way back that fails stops where most hosts serve, and says which release serves where and what to do.</summary>
public class FailedRollbackTests
{
    [TestCase("web1/stop")]
    [TestCase("web1/start")]
    [TestCase("web1/await-healthy")]
    [TestCase("web1/undrain/edge2")]
    public void An_operators_rollback_that_fails_on_a_host_takes_no_other_out_whatever_the_failure_budget(string key)
    {
        var broken = false;
        using var simulation = new Simulation(seed: 1, budget: 2, faults: (step, _) => broken && step.Key == key ? Fault.Fails : Fault.None);
        simulation.Deploy();
        broken = true;

        var failed = simulation.Rollback();

        Assert.Multiple(() =>
        {
            Assert.That(failed.Status, Is.EqualTo(DeploymentStatus.FailedPartly), failed.Summary);
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(2));
            Assert.That(simulation.Fleet.Done.Count(d => d.StartsWith("web2/stop", StringComparison.Ordinal) || d.StartsWith("web3/stop", StringComparison.Ordinal)), Is.EqualTo(2), "only the deployment stopped them");
            Assert.That(failed.Summary, Does.Contain("2 of 3 hosts serve: 2.0.0 on web2, web3."));
            Assert.That(failed.Hosts.Select(h => h.Host), Is.EqualTo(simulation.Manifest.Hosts.Select(h => h.Name)));
            Assert.That(failed.Hosts[0].Detail, Does.Contain(key.Split('/')[1] + " failed"));
            Assert.That(failed.WhatNext, Does.Contain("web1").Or.Contain("hosts named").And.Contain($"decant resume {failed.Id}"));
        });
    }

    [Test]
    public void Mended_and_resumed_it_takes_every_host_back()
    {
        var broken = false;
        using var simulation = new Simulation(seed: 1, faults: (step, _) => broken && step.Key == "web1/start" ? Fault.Fails : Fault.None);
        simulation.Deploy();
        broken = true;
        var failed = simulation.Rollback();
        broken = false;

        var outcome = simulation.Resume(failed.Id);

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.Old));
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
            Assert.That(simulation.Fleet.Violations, Is.Empty);
        });
    }

    [Test]
    public void An_automatic_rollback_that_fails_leaves_the_hosts_that_serve_alone_and_says_what_they_serve()
    {
        using var simulation = new Simulation(seed: 1, faults: (step, operation) =>
            step.Key == "web3/await-healthy" || (step.Key == "web3/start" && Simulation.IsRollback(operation)) ? Fault.Fails : Fault.None);

        var failed = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(failed.Status, Is.EqualTo(DeploymentStatus.FailedPartly), failed.Summary);
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(2));
            Assert.That(failed.Summary, Does.Contain("2 of 3 hosts serve: 2.0.0 on web1, web2."));
            Assert.That(failed.Summary, Does.Contain("The migration was run and stays: migrations are not undone."));
            Assert.That(failed.WhatNext, Does.Contain($"decant resume {failed.Id}").And.Contain("decant rollback"));
        });
    }

    [Test]
    public void When_a_host_cannot_be_reached_on_the_way_back_those_that_serve_are_left_serving()
    {
        using var simulation = new Simulation(seed: 1, faults: (step, _) => step.Key == "web3/start" ? Fault.AgentDies : Fault.None);

        var failed = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(failed.Status, Is.EqualTo(DeploymentStatus.FailedPartly), failed.Summary);
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(2));
            Assert.That(simulation.Journal.StepsOf(failed.Id).Where(s => s.IsRollback).Select(s => s.Key), Is.Empty, "nobody is taken out");
            Assert.That(failed.Summary, Does.Contain("2 of 3 hosts serve: 2.0.0 on web1, web2.").And.Contain("web3"));
            Assert.That(failed.WhatNext, Does.Contain($"decant resume {failed.Id}"));
        });
    }

    [Test]
    public void Of_a_host_whose_switch_back_failed_the_instance_that_it_would_move_from_is_not_ended()
    {
        using var simulation = new Simulation(seed: 1, isSwitch: true, faults: (step, operation) =>
            (step.Key.StartsWith("web2/move", StringComparison.Ordinal) && !Simulation.IsRollback(operation))
            || (Simulation.IsRollback(operation) && step is AwaitHealthyStep && step.Host.Value == "web2") ? Fault.Fails : Fault.None);

        var failed = simulation.Deploy();

        Assert.Multiple(() =>
        {
            Assert.That(failed.Status, Is.EqualTo(DeploymentStatus.FailedPartly), failed.Summary);
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
            Assert.That(simulation.Journal.StepsOf(failed.Id).Where(s => s.IsRollback && s.Host == HostName.Parse("web2")).Select(s => s.Verb), Is.EqualTo(new[] { "await-healthy" }));
        });
    }

    [Test]
    public void Hosts_that_are_no_part_of_it_are_named_with_what_they_serve()
    {
        using var simulation = new Simulation(seed: 1);
        simulation.Deploy();
        simulation.Fleet.StopByHand(simulation.Manifest.Hosts[1].Name);

        var (outcome, _) = simulation.Repair();

        Assert.That(outcome.Hosts.Select(h => h.Detail), Is.All.EqualTo("runs 2.0.0"));
    }
}
