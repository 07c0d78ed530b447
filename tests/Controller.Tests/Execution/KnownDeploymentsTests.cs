using Decant.Controller.Execution;
using Decant.Controller.Planning;

namespace Decant.Controller.Tests.Execution;

/// <summary>What should run, as the journal tells.</summary>
public class KnownDeploymentsTests
{
    [Test]
    public void Without_a_journal_nothing_is_known()
    {
        using var simulation = new Simulation(seed: 1);

        Assert.That((Known(simulation).Last, Known(simulation).Releases.Count, Known(simulation).Unfinished), Is.EqualTo(((Decant.Names.DeploymentId?)null, 0, (UnfinishedDeployment?)null)));
    }

    [Test]
    public void A_deployment_that_failed_and_was_undone_changes_nothing_of_what_should_run()
    {
        using var simulation = new Simulation(seed: 1);
        var first = Record(simulation, DeploymentStatus.Succeeded);
        var undone = first with { Release = Simulation.Older, Status = DeploymentStatus.RolledBack };

        var known = KnownDeployments.Of(simulation.Manifest, [undone, first], _ => []);

        Assert.Multiple(() =>
        {
            Assert.That(known.Last, Is.EqualTo(first.Id));
            Assert.That(known.Releases.Values, Is.All.EqualTo(Simulation.New));
            Assert.That(known.Unfinished, Is.Null);
        });
    }

    [TestCase(DeploymentStatus.Running, "deploy shop 2.0.0 runs, at web1/drain/edge1", "decant pause")]
    [TestCase(DeploymentStatus.Interrupted, "deploy shop 2.0.0 was interrupted at web1/drain/edge1", "decant resume")]
    [TestCase(DeploymentStatus.Stopped, "deploy shop 2.0.0 was stopped at web1/drain/edge1", "decant rollback")]
    [TestCase(DeploymentStatus.FailedPartly, "failed and was not wholly undone, at web1/drain/edge1", "decant resume")]
    [TestCase(DeploymentStatus.LeaseLost, "deploy shop 2.0.0 lost its lease at web1/drain/edge1", "decant resume")]
    [TestCase(DeploymentStatus.AwaitingPromotion, "waits for a decision on its canaries", "decant promote")]
    public void One_that_did_not_come_to_its_end_is_said_with_its_step_and_its_commands(object status, string where, string mend)
    {
        using var simulation = new Simulation(seed: 1);
        var record = Record(simulation, (DeploymentStatus)status);
        var step = simulation.Journal.StepsOf(record.Id).First(s => s.Key == "web1/drain/edge1") with { End = null, EndedAt = null };

        var known = KnownDeployments.Of(simulation.Manifest, [record], _ => [step]);

        Assert.Multiple(() =>
        {
            Assert.That(known.Unfinished!.Where, Does.Contain(where));
            Assert.That(known.Unfinished.Mend, Does.Contain(mend).And.Contain(record.Id.Value));
            Assert.That(known.Unfinished.Runs, Is.EqualTo((DeploymentStatus)status == DeploymentStatus.Running));
            Assert.That(known.Unfinished.Hosts.Values, Is.All.EqualTo(((Decant.Names.ReleaseId?)Simulation.Old, (Decant.Names.ReleaseId?)Simulation.New)));
        });
    }

    [Test]
    public void A_deployment_to_some_hosts_says_nothing_of_the_others()
    {
        using var simulation = new Simulation(seed: 1);
        var record = Record(simulation, DeploymentStatus.Succeeded) with { Only = [simulation.Manifest.Hosts[1].Name] };

        var known = KnownDeployments.Of(simulation.Manifest, [record], _ => []);

        Assert.That(known.Releases.Keys, Is.EqualTo(new[] { simulation.Manifest.Hosts[1].Name }));
    }

    [Test]
    public void A_rollback_says_what_each_of_its_hosts_went_back_to_and_a_repair_says_nothing()
    {
        using var simulation = new Simulation(seed: 1);
        var deployed = Record(simulation, DeploymentStatus.Succeeded);
        var back = deployed with
        {
            Intent = PlanIntent.Rollback,
            Release = null,
            Cutovers = [.. deployed.Cutovers.Take(2).Select(c => c with { From = Simulation.New, To = Simulation.Old })],
        };
        var repair = deployed with { Intent = PlanIntent.Repair, Cutovers = [.. deployed.Cutovers.Select(c => c with { To = Simulation.Older })] };

        var known = KnownDeployments.Of(simulation.Manifest, [repair, back, deployed], _ => []);

        Assert.That(simulation.Manifest.Hosts.Select(h => known.Releases[h.Name]), Is.EqualTo(new[] { Simulation.Old, Simulation.Old, Simulation.New }));
    }

    private static DeploymentRecord Record(Simulation simulation, DeploymentStatus status)
    {
        simulation.Deploy();
        return simulation.Journal.List(simulation.Manifest.App, 1)[0] with { Status = status };
    }

    private static KnownDeployment Known(Simulation simulation)
        => KnownDeployments.Of(simulation.Manifest, simulation.Journal.List(simulation.Manifest.App, 10), simulation.Journal.StepsOf);
}
