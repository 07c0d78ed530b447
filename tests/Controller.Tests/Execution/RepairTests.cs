using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Planning;
using Decant.Errors;

namespace Decant.Controller.Tests.Execution;

/// <summary>Repairs run by the executor that runs deployments: journaled, stopped and resumed like these.</summary>
public class RepairTests
{
    [Test]
    public void What_was_stopped_and_what_was_taken_out_by_hand_serves_again()
    {
        using var simulation = Deployed(seed: 1);
        simulation.Fleet.StopByHand(Host(simulation, 0));
        simulation.Fleet.TakeOut(Host(simulation, 1));

        var (outcome, left) = simulation.Repair();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.New));
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
            Assert.That(simulation.Fleet.Violations, Is.Empty);
            Assert.That(left, Is.Empty);
            var record = simulation.Journal.List(simulation.Manifest.App, 1)[0];
            Assert.That((record.Id, record.Intent, record.Status), Is.EqualTo((outcome.Id, PlanIntent.Repair, DeploymentStatus.Succeeded)));
            Assert.That(simulation.Journal.StepsOf(outcome.Id).Select(s => s.Verb), Has.None.EqualTo("migrate"));
            Assert.That(simulation.ProposeRepair().Plan.IsEmpty, Is.True);
        });
    }

    [Test]
    public void A_repair_that_is_stopped_at_any_step_is_completed_by_resume_and_by_another_repair([Range(0, 5)] int at, [Values] bool resume)
    {
        using var simulation = Deployed(seed: at);
        simulation.Fleet.StopByHand(Host(simulation, 0));
        simulation.Fleet.TakeOut(Host(simulation, 2));
        using var stop = new StopSignal();
        var started = 0;
        simulation.OnEvent = e =>
        {
            if (e is StepStarted && started++ == at) stop.Request();
        };
        var (stopped, _) = simulation.Repair(stop);
        simulation.OnEvent = null;

        var outcome = resume ? simulation.Resume(stopped.Id) : simulation.Repair().Outcome;

        Assert.Multiple(() =>
        {
            Assert.That(stopped.Status, Is.EqualTo(DeploymentStatus.Stopped), stopped.Summary);
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.New));
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
            Assert.That(simulation.Fleet.Violations, Is.Empty);
        });
    }

    [Test]
    public void A_repair_that_fails_leaves_the_others_serving_and_can_be_tried_again()
    {
        var broken = true;
        using var simulation = Deployed(seed: 1, (step, _) => broken && step.Key == "web1/await-healthy" && step is AwaitHealthyStep { Release: var release } && release == Simulation.New ? Fault.Fails : Fault.None);
        simulation.Fleet.StopByHand(Host(simulation, 0));
        simulation.Fleet.TakeOut(Host(simulation, 1));

        var (failed, _) = simulation.Repair();
        var served = simulation.Fleet.InRotation;
        broken = false;
        var (again, _) = simulation.Repair();

        Assert.Multiple(() =>
        {
            Assert.That(failed.Status, Is.EqualTo(DeploymentStatus.FailedPartly), failed.Summary);
            Assert.That(failed.WhatNext, Does.Contain("decant repair"));
            Assert.That(served, Is.EqualTo(1), "what was out stays out, what served serves");
            Assert.That(again.Status, Is.EqualTo(DeploymentStatus.Succeeded), again.Summary);
            Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
        });
    }

    [Test]
    public void Another_plan_than_the_one_that_was_agreed_to_is_not_carried_out()
    {
        using var simulation = Deployed(seed: 1);
        simulation.Fleet.StopByHand(Host(simulation, 0));
        var agreed = simulation.ProposeRepair().Plan;
        simulation.Fleet.StopByHand(Host(simulation, 1));
        var done = simulation.Fleet.Done.Count;

        Assert.That(() => simulation.Repair(agreed: agreed), Throws.TypeOf<OperatorException>().With.Message.Contains("has changed since"));
        Assert.That(simulation.Fleet.Done, Has.Count.EqualTo(done));
    }

    [Test]
    public void Who_does_not_answer_does_not_keep_the_others_from_being_repaired()
    {
        using var simulation = Deployed(seed: 1);
        simulation.Fleet.StopByHand(Host(simulation, 0));
        simulation.Fleet.Kill(Host(simulation, 2));

        var (outcome, left) = simulation.Repair();

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(simulation.Fleet.IsInRotation(Host(simulation, 0)), Is.True);
            Assert.That(left.Select(f => (f.Kind, f.Host)), Is.EqualTo(new[] { (FindingKind.Unreachable, Host(simulation, 2)) }));
        });
    }

    [Test]
    public void A_stopped_deployment_is_named_with_its_step_and_its_commands_and_not_repaired()
    {
        using var simulation = new Simulation(seed: 1);
        using var stop = new StopSignal();
        simulation.OnEvent = e =>
        {
            if (e is StepEnded { Run.Step.Key: "web2/drain/edge1" }) stop.Request();
        };
        var stopped = simulation.Deploy(stop);
        simulation.OnEvent = null;

        var proposal = simulation.ProposeRepair();

        Assert.Multiple(() =>
        {
            Assert.That(proposal.Plan.IsEmpty, Is.True);
            var finding = proposal.Left.Single();
            Assert.That(finding.Kind, Is.EqualTo(FindingKind.HalfFinished));
            Assert.That(finding.Is, Is.EqualTo($"deployment {stopped.Id}: deploy shop 2.0.0 was stopped after web2/drain/edge1"));
            Assert.That(finding.Mend, Is.EqualTo($"decant resume {stopped.Id}, or decant rollback"));
        });
    }

    [Test]
    public void After_a_rollback_what_it_went_back_to_is_what_should_run()
    {
        using var simulation = Deployed(seed: 1);
        simulation.Rollback();
        simulation.Fleet.StopByHand(Host(simulation, 0));
        simulation.Fleet.StopByHand(Host(simulation, 1));

        simulation.Repair();

        Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.Old));
        Assert.That(simulation.Fleet.InRotation, Is.EqualTo(3));
    }

    [Test]
    public void A_rollback_after_a_failed_repair_does_not_stop_what_it_started()
    {
        using var simulation = Deployed(seed: 1, (step, _) => step.Key == "web2/undrain/edge2" ? Fault.Fails : Fault.None);
        simulation.Fleet.StopByHand(Host(simulation, 0));
        simulation.Fleet.TakeOut(Host(simulation, 1));
        simulation.Repair();

        simulation.Rollback();

        Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.New));
    }

    private static HostName Host(Simulation simulation, int index) => simulation.Manifest.Hosts[index].Name;

    /// <summary>Three hosts that serve the new release; faults begin when it is deployed.</summary>
    private static Simulation Deployed(int seed, Func<Step, Decant.Names.OperationId, Fault>? faults = null)
    {
        var isDeployed = false;
        var simulation = new Simulation(seed, faults: (step, operation) => faults is null || !isDeployed ? Fault.None : faults(step, operation));
        simulation.Deploy();
        isDeployed = true;
        return simulation;
    }
}
