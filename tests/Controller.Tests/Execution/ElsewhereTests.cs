using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Tests.Execution;

/// <summary>A controller dies at every event of a deployment, and another machine goes on with nothing but what the agents keep.</summary>
public class ElsewhereTests
{
    private static readonly string[] Ways = ["rolling", "together", "blue and green", "rolled back"];

    private static IEnumerable<TestCaseData> Everywhere()
        => Ways.SelectMany(way => Enumerable.Range(0, EventCount(way)).Select(at => new TestCaseData(way, at)));

    [TestCaseSource(nameof(Everywhere))]
    public void A_deployment_whose_controller_dies_at_any_moment_ends_on_another_machine_as_it_would_have(string way, int at)
    {
        using var first = Begin(way);
        var id = DieAt(first, at);
        using var other = first.Elsewhere();
        var recollection = other.Recall();
        // Before the record was written, nothing was begun.
        if (other.Journal.List(null, 10) is not [{ } record])
        {
            Assert.That(first.Fleet.Done, Is.Empty);
            return;
        }

        Assert.That(recollection.Problems, Is.Empty);
        Assert.That(recollection.News.Select(n => (n.Deployment, n.Attempt, n.Writer)), Is.EqualTo(new[] { (record.Id, 1, $"{Environment.UserName} on ops1") }));
        if (id is not null) Assert.That(record.Id, Is.EqualTo(id));
        var shown = other.Journal.StepsOf(record.Id).Where(s => s.End is { Succeeded: true }).Select(s => s.Key).ToList();
        Assert.That(shown, Is.EquivalentTo(first.Fleet.Done), "every step that was done is known");
        if (!record.IsUnfinished)
        {
            Ended(way, first, record.Status);
            return;
        }

        var outcome = other.Resume(record.Id);

        Ended(way, first, outcome.Status);
        // The first machine looks again.
        first.OnEvent = null;
        var told = first.Recall();
        var known = first.Journal.Find(record.Id)!;
        Assert.That(told.News.Select(n => (n.Deployment, n.Attempt)), Is.EqualTo(new[] { (record.Id, 2) }));
        Assert.That((known.Status, known.Attempt), Is.EqualTo((outcome.Status, 2)));
        Assert.That(first.Journal.StepsOf(record.Id).Where(s => s.Attempt == 2).Select(s => s.Key), Is.EquivalentTo(other.Journal.StepsOf(record.Id).Where(s => s.Attempt == 2).Select(s => s.Key)));
        var refused = Assert.Throws<OperatorException>(() => first.Resume(record.Id))!.Error;
        Assert.That(refused.Reason, Is.EqualTo(Refusals.NotResumable));
        Assert.That(refused.Message, Does.Contain($"is over: {outcome.Status}").And.Contain($"{Environment.UserName} on ops1 went on with it and ended it, in attempt 2"));
    }

    [Test]
    public void A_deployment_costs_two_writings_of_its_record_at_each_agent_and_none_for_a_step()
    {
        using var simulation = new Simulation(seed: 1);

        simulation.Deploy();

        var agents = simulation.Manifest.Hosts.Count + simulation.Manifest.Balancers.Count;
        Assert.That(simulation.Fleet.Kept.Writings, Is.EqualTo(2 * agents));
    }

    [Test]
    public void Of_agents_that_disagree_the_newest_record_counts_and_it_is_said_who_is_behind()
    {
        using var first = Begin("rolling");
        first.OnEvent = item =>
        {
            // Agents that are gone when the rollback begins do not hear of it.
            if (item is StepStarted { Run.Step: DrainStep { Host.Value: "web3" } }) first.Fleet.Kept.Full.UnionWith(first.Manifest.Hosts.Take(2).Select(h => h.Agent));
        };
        var outcome = first.Deploy();
        using var other = first.Elsewhere();

        var news = other.Recall().News.Single();

        Assert.That(other.Journal.Find(outcome.Id)!.Status, Is.EqualTo(DeploymentStatus.Succeeded));
        Assert.That(news.From, Is.EqualTo(new[] { "web3", "balancer edge1", "balancer edge2" }));
        Assert.That(news.Behind, Is.EqualTo(new[] { "web1", "web2" }));
        Assert.That(first.Events.OfType<RecordNotKept>().Single().Errors.Select(e => e.Reason), Is.EqualTo(new[] { "DISK_FULL", "DISK_FULL" }));
    }

    [Test]
    public void A_release_that_failed_elsewhere_is_refused_here_too()
    {
        using var first = Begin("rolled back");
        first.Deploy();
        using var other = first.Elsewhere();

        var refused = Assert.Throws<OperatorException>(() => other.Deploy())!.Error;

        Assert.That(refused.Reason, Is.EqualTo(Refusals.ReleaseFailedBefore));
        Assert.That(refused.Message, Does.Contain("INJECTED"));
    }

    [Test]
    public void Whoever_wakes_up_after_another_machine_has_gone_on_changes_nothing_more()
    {
        using var first = Begin("rolling");
        DieAt(first, EventCount("rolling") / 2);
        using var other = first.Elsewhere();
        other.Recall();
        var id = other.Journal.List(null, 1)[0].Id;
        using var third = first.Elsewhere();
        third.Recall();
        other.Resume(id);
        var done = first.Fleet.Done.Count;

        // It knows nothing of the second attempt, and looks before it changes anything.
        var refused = Assert.Throws<OperatorException>(() => third.Resume(id))!.Error;

        Assert.That(refused.Reason, Is.EqualTo(Refusals.NotResumable));
        Assert.That(first.Fleet.Done, Has.Count.EqualTo(done));
    }

    [Test]
    public void Agents_that_do_not_answer_are_named_and_the_others_tell_what_they_know()
    {
        using var first = Begin("rolling");
        var outcome = first.Deploy();
        using var other = first.Elsewhere();
        first.Fleet.Kill(HostName.Parse("web2"));

        var recollection = other.Recall();

        Assert.That(recollection.Problems.Select(p => p.Facts["host"]).Distinct(), Is.EqualTo(new[] { "web2" }));
        Assert.That(other.Journal.Find(outcome.Id)!.Status, Is.EqualTo(DeploymentStatus.Succeeded));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void What_waits_for_a_decision_is_promoted_or_aborted_on_another_machine(bool isPromoted)
    {
        using var first = new Simulation(
            seed: 6,
            kind: StrategyKind.Canary,
            canary: new CanaryPolicy(new HostShare.Count(1), 100, TimeSpan.FromSeconds(10), Promotion.Manual, new CanaryTolerance(1, 1.5)));
        var waiting = first.Deploy();
        using var other = first.Elsewhere();
        other.Recall();

        var outcome = isPromoted ? other.Promote(waiting.Id) : other.Abort(waiting.Id);

        Assert.That(waiting.Status, Is.EqualTo(DeploymentStatus.AwaitingPromotion));
        Assert.That(outcome.Status, Is.EqualTo(isPromoted ? DeploymentStatus.Succeeded : DeploymentStatus.RolledBack), outcome.Summary);
        Assert.That(first.Fleet.Running, Is.All.EqualTo(isPromoted ? Simulation.New : Simulation.Old));
        Assert.That(first.Fleet.Violations, Is.Empty);
    }

    [Test]
    public void A_deployment_of_another_machine_is_rolled_back_here()
    {
        using var first = new Simulation(seed: 7);
        first.Deploy();
        using var other = first.Elsewhere();

        var outcome = other.Rollback();

        Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.Succeeded), outcome.Summary);
        Assert.That(first.Fleet.Running, Is.All.EqualTo(Simulation.Old));
        Assert.That(first.Fleet.Violations, Is.Empty);
    }

    private static Simulation Begin(string way) => way switch
    {
        "together" => new Simulation(seed: 3, batch: 2),
        "blue and green" => new Simulation(seed: 4, kind: StrategyKind.BlueGreen, isSwitch: true),
        "rolled back" => new Simulation(seed: 5, faults: (step, operation) => step is AwaitHealthyStep { Host.Value: "web2" } && !Simulation.IsRollback(operation) ? Fault.Fails : Fault.None),
        _ => new Simulation(seed: 2),
    };

    /// <summary>The controller is gone from one event on: what it had asked for goes on, and nothing more is begun.</summary>
    private static DeploymentId? DieAt(Simulation simulation, int at)
    {
        DeploymentId? id = null;
        var heard = 0;
        simulation.OnEvent = item =>
        {
            id = item.Deployment;
            if (heard++ >= at) throw new ControllerDiedException();
        };
        Assert.That(() => simulation.Deploy(), Throws.InstanceOf<ControllerDiedException>());
        return id;
    }

    private static void Ended(string way, Simulation simulation, DeploymentStatus status)
    {
        var isRolledBack = way == "rolled back";
        Assert.That(simulation.Fleet.Violations, Is.Empty);
        Assert.That(status, Is.EqualTo(isRolledBack ? DeploymentStatus.RolledBack : DeploymentStatus.Succeeded));
        Assert.That(simulation.Fleet.Running, Is.All.EqualTo(isRolledBack ? Simulation.Old : Simulation.New));
        Assert.That(simulation.Fleet.InRotation, Is.EqualTo(simulation.Manifest.Hosts.Count));
        Assert.That(simulation.Fleet.Done.Count(d => d.EndsWith("/migrate", StringComparison.Ordinal)), Is.EqualTo(1));
    }

    private static int EventCount(string way)
    {
        using var simulation = Begin(way);
        simulation.Deploy();
        return simulation.Events.Count;
    }

    private sealed class ControllerDiedException : Exception
    {
    }
}
