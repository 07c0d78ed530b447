using Decant.Controller.Execution;
using Decant.Controller.Planning;
using Decant.Errors;

namespace Decant.Controller.Tests.Execution;

/// <summary>The down-migration of a rollback: only when asked for, once, from the release gone back from, when that runs nowhere any more.</summary>
public class DownMigrationTests
{
    [Test]
    public void Unasked_a_rollback_undoes_no_migration_and_says_so_in_its_plan_and_its_end()
    {
        using var simulation = new Simulation(seed: 1);
        simulation.Deploy();

        var outcome = simulation.Rollback();

        Assert.Multiple(() =>
        {
            Assert.That(Verbs(simulation, outcome), Has.None.EqualTo("migrate-down"));
            Assert.That(PlanOf(simulation, outcome), Does.Contain("migrations are not undone: the database stays as it is"));
            Assert.That(outcome.Summary, Does.Contain("Migrations are not undone"));
        });
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Asked_for_it_runs_once_from_the_new_release_when_every_host_is_back(bool isSwitch)
    {
        using var simulation = new Simulation(seed: 1, isSwitch: isSwitch);
        simulation.Deploy();

        var outcome = simulation.Rollback(down: true);

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(Verbs(simulation, outcome).Count(v => v == "migrate-down"), Is.EqualTo(1));
            Assert.That(Verbs(simulation, outcome)[^1], Is.EqualTo("migrate-down"), "after everything else");
            Assert.That(simulation.Journal.StepsOf(outcome.Id)[^1].Description, Is.EqualTo($"run the down-migration once, from shop {Simulation.New} on web1: Shop.Release.rollback(1)"));
            Assert.That(PlanOf(simulation, outcome), Does.Contain($"migrate-down once, on web1, from {Simulation.New}").And.Not.Contain("not undone"));
            Assert.That(outcome.Summary, Does.Contain("The down-migration was run from 2.0.0 on web1."));
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.Old));
            Assert.That(simulation.Fleet.Violations, Is.Empty);
        });
    }

    [Test]
    public void It_is_not_run_when_a_host_cannot_go_back_until_a_resume_has_brought_it_there()
    {
        var broken = false;
        using var simulation = new Simulation(seed: 1, faults: (step, _) => broken && step.Key == "web2/start" ? Fault.Fails : Fault.None);
        simulation.Deploy();
        broken = true;
        var failed = simulation.Rollback(down: true);
        var begun = Verbs(simulation, failed).Contains("migrate-down");
        broken = false;

        var outcome = simulation.Resume(failed.Id);

        Assert.Multiple(() =>
        {
            Assert.That(failed.Status, Is.EqualTo(DeploymentStatus.FailedPartly), failed.Summary);
            Assert.That(begun, Is.False);
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(Verbs(simulation, outcome).Count(v => v == "migrate-down"), Is.EqualTo(1));
            Assert.That(simulation.Fleet.Violations, Is.Empty);
        });
    }

    [Test]
    public void Stopped_at_any_step_and_resumed_it_has_run_exactly_once([Range(0, 17)] int at)
    {
        using var simulation = new Simulation(seed: at);
        simulation.Deploy();
        using var stop = new StopSignal();
        var started = 0;
        simulation.OnEvent = e =>
        {
            if (e is StepStarted && started++ == at) stop.Request();
        };
        var stopped = simulation.Rollback(stop, down: true);
        simulation.OnEvent = null;

        var outcome = stopped.Status == DeploymentStatus.Stopped ? simulation.Resume(stopped.Id) : stopped;

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(simulation.Fleet.Done.Count(d => d.EndsWith("/migrate-down", StringComparison.Ordinal)), Is.EqualTo(1));
            Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.Old));
            Assert.That(simulation.Fleet.Violations, Is.Empty);
        });
    }

    [Test]
    public void One_that_fails_leaves_every_host_back_and_is_run_again_by_resume()
    {
        var broken = true;
        using var simulation = new Simulation(seed: 1, faults: (step, _) => broken && step is MigrateDownStep ? Fault.Fails : Fault.None);
        simulation.Deploy();
        var failed = simulation.Rollback(down: true);
        broken = false;

        var outcome = simulation.Resume(failed.Id);

        Assert.Multiple(() =>
        {
            Assert.That(failed.Status, Is.EqualTo(DeploymentStatus.FailedPartly), failed.Summary);
            Assert.That(failed.Summary, Does.Contain("migrate-down failed").And.Contain("3 of 3 hosts serve: 1.0.0 on web1, web2, web3."));
            Assert.That(failed.WhatNext, Does.Contain("look at the database").And.Contain($"decant resume {failed.Id}"));
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(simulation.Fleet.Done.Count(d => d.EndsWith("/migrate-down", StringComparison.Ordinal)), Is.EqualTo(1));
        });
    }

    [Test]
    public void Another_rollback_does_not_begin_it_a_second_time()
    {
        using var simulation = new Simulation(seed: 1, faults: (step, _) => step is MigrateDownStep ? Fault.Fails : Fault.None);
        simulation.Deploy();
        var failed = simulation.Rollback(down: true);

        var refusal = Assert.Throws<OperatorException>(() => simulation.Rollback(down: true))!.Error;

        Assert.That(refusal.Reason, Is.EqualTo("DOWN_MIGRATION_BEGUN"));
        Assert.That(refusal.WhatNext, Does.Contain($"decant resume {failed.Id}"));
    }

    [Test]
    public void Of_a_deployment_that_is_undone_half_way_it_runs_from_the_release_that_was_deployed()
    {
        using var simulation = new Simulation(seed: 1);
        using var stop = new StopSignal();
        simulation.OnEvent = e =>
        {
            if (e is StepEnded { Run.Step.Key: "web1/stop" }) stop.Request();
        };
        simulation.Deploy(stop);
        simulation.OnEvent = null;

        var outcome = simulation.Rollback(down: true);

        Assert.Multiple(() =>
        {
            Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
            Assert.That(outcome.Summary, Does.Contain("The down-migration was run from 2.0.0"));
            Assert.That(simulation.Fleet.Violations, Is.Empty);
        });
    }

    [Test]
    public void Without_one_in_the_manifest_the_rollback_is_refused_before_anything_is_touched()
    {
        using var simulation = new Simulation(seed: 1);
        simulation.Deploy();
        var done = simulation.Fleet.Done.Count;
        var none = simulation.Manifest with { Migrations = simulation.Manifest.Migrations! with { Down = null } };

        var refusal = Assert.Throws<OperatorException>(() => simulation.Turns.Run(simulation.Service.RollbackAsync(
            new RollbackRequest(new ManifestSource("decant.yml", ""), none, null, Down: true), new StopSignal())))!.Error;

        Assert.Multiple(() =>
        {
            Assert.That((refusal.Reason, ExitCodes.Of(refusal)), Is.EqualTo(("NO_DOWN_MIGRATION", ExitCode.Usage)));
            Assert.That(refusal.WhatNext, Does.Contain("migrations.down"));
            Assert.That(simulation.Fleet.Done, Has.Count.EqualTo(done));
        });
    }

    [Test]
    public void With_a_host_that_would_keep_the_new_release_it_is_refused()
    {
        using var simulation = new Simulation(seed: 1);
        simulation.Deploy();
        var survey = simulation.Turns.Run(FleetSurvey.MakeAsync(simulation.Fleet, simulation.Manifest, [], CancellationToken.None));
        var two = simulation.Manifest.Hosts.Take(2).Select(h => new HostRollback(h.Name, Simulation.Old, "goes back")).ToList();
        var plan = ((PlanResult.Made)Planner.MakeRollback(simulation.Manifest, survey.Fleet, two)).Plan;

        var refusal = Assert.Throws<OperatorException>(() => DownMigration.AddTo(plan, simulation.Manifest, survey, Simulation.New))!.Error;

        Assert.That((refusal.Reason, refusal.Message), Is.EqualTo(("RELEASE_STAYS", $"web3 would run {Simulation.New} after the rollback as well: a down-migration would take its schema away")));
    }

    [Test]
    public void A_plan_alone_touches_nothing()
    {
        using var simulation = new Simulation(seed: 1);
        simulation.Deploy();
        var done = simulation.Fleet.Done.Count;

        var plan = simulation.Turns.Run(simulation.Service.PlanRollbackAsync(
            new RollbackRequest(new ManifestSource("decant.yml", ""), simulation.Manifest, null, Down: true), CancellationToken.None));

        Assert.That(plan.Afterwards.Single().Steps.Single(), Is.InstanceOf<MigrateDownStep>());
        Assert.That(simulation.Fleet.Done, Has.Count.EqualTo(done));
        Assert.That(simulation.Journal.List(simulation.Manifest.App, 5), Has.Count.EqualTo(1));
    }

    private static IReadOnlyList<string> Verbs(Simulation simulation, DeploymentOutcome outcome)
        => [.. simulation.Journal.StepsOf(outcome.Id).Select(s => s.Verb)];

    private static string PlanOf(Simulation simulation, DeploymentOutcome outcome) => simulation.Journal.Find(outcome.Id)!.PlanText;
}
