using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Planning;

namespace Decant.Controller.Tests.Execution;

/// <summary>Where an unfinished deployment stands, by the journal, against where the simulated hosts stand.</summary>
public class HostProgressTests
{
    [Test]
    public void Stopped_after_any_step_each_host_is_said_to_be_where_it_is([Values] bool isSwitch, [Range(0, 34)] int at)
    {
        using var simulation = new Simulation(seed: at, isSwitch: isSwitch);
        using var stop = new StopSignal();
        var ended = 0;
        simulation.OnEvent = e =>
        {
            if (e is StepEnded && ended++ == at) stop.Request();
        };

        var outcome = simulation.Deploy(stop);

        var steps = simulation.Journal.StepsOf(outcome.Id);
        var hosts = HostProgress.Of(simulation.Journal.Find(outcome.Id)!, steps, simulation.Manifest);
        Assert.That(hosts.Select(p => p.Cutover.Host), Is.EquivalentTo(simulation.Manifest.Hosts.Select(h => h.Name)));
        using (Assert.EnterMultipleScope())
        {
            foreach (var progress in hosts)
            {
                var host = progress.Cutover.Host;
                var serves = simulation.Fleet.IsInRotation(host) ? simulation.Fleet.RunningOn(host) : null;
                switch (progress.Stage)
                {
                    case HostStage.NotBegun: Assert.That(serves, Is.EqualTo(Simulation.Old), $"{host}"); break;
                    case HostStage.CutOver: Assert.That(serves, Is.EqualTo(Simulation.New), $"{host}"); break;
                    case HostStage.HalfWay: Assert.That(progress.Out.Count > 0 && serves is not null, Is.False, $"{host}: {progress.Last!.Key}"); break;
                    default: Assert.Fail($"{host} is {progress.Stage}, and nothing goes back"); break;
                }

                if (serves is null) Assert.That(progress.Stage, Is.EqualTo(HostStage.HalfWay), $"{host}");
            }
        }
    }

    [Test]
    public void A_step_whose_end_nobody_wrote_is_named_with_the_balancers_where_the_host_is_out()
    {
        using var simulation = new Simulation(seed: 1);
        using var stop = new StopSignal();
        simulation.OnEvent = e =>
        {
            if (e is StepEnded { Run.Step.Key: "web2/stop" }) stop.Request();
        };
        var outcome = simulation.Deploy(stop);
        var steps = simulation.Journal.StepsOf(outcome.Id).Select(s => s.Key == "web2/stop" ? s with { EndedAt = null, End = null } : s).ToList();

        var lines = ProgressText.Of(simulation.Journal.Find(outcome.Id)!, steps, simulation.Manifest).ToList();

        Assert.That(lines[0], Is.EqualTo("migration: done, on web1"));
        Assert.That(lines[1], Is.EqualTo("web1: cut over to 2.0.0"));
        Assert.That(lines[2], Does.StartWith("web2: half-way from 1.0.0 to 2.0.0, in the middle of: stop shop 1.0.0").And.EndWith("its end is not known); out of rotation at edge1, edge2"));
        Assert.That(lines[3], Is.EqualTo("web3: not begun, ran 1.0.0 before"));
    }

    [Test]
    public void Hosts_on_their_way_back_are_told_from_those_that_are_back()
    {
        using var simulation = new Simulation(seed: 1, faults: (step, operation) =>
            (step.Key == "web3/await-healthy" && !Simulation.IsRollback(operation)) || (Simulation.IsRollback(operation) && step is StartStep && step.Host.Value == "web2") ? Fault.Fails : Fault.None);
        var outcome = simulation.Deploy();

        var lines = ProgressText.Of(simulation.Journal.Find(outcome.Id)!, simulation.Journal.StepsOf(outcome.Id), simulation.Manifest).ToList();

        Assert.That(outcome.Status, Is.EqualTo(DeploymentStatus.FailedPartly), outcome.Summary);
        Assert.That(lines[3], Is.EqualTo("web3: back to 1.0.0"), string.Join('\n', lines));
        Assert.That(lines[2], Does.StartWith("web2: on its way back to 1.0.0, failed at: start shop 1.0.0"), string.Join('\n', lines));
    }
}
