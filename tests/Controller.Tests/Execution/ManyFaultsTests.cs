using Decant.Controller.Execution;

namespace Decant.Controller.Tests.Execution;

/// <summary>Fleets, strategies, faults and stops at random; the seed is the test's argument, and repeats it.</summary>
public class ManyFaultsTests
{
    [Test]
    public void Whatever_goes_wrong_the_rules_hold_and_the_end_is_said([Range(1, 10)] int tens)
    {
        for (var seed = tens * 20; seed < (tens + 1) * 20; seed++) Run(seed);
    }

    private static void Run(int seed)
    {
        var random = new Random(seed);
        var (hosts, rate) = (random.Next(1, 5), random.Next(2, 30));
        var (batch, budget) = (random.Next(1, hosts + 1), random.Next(0, 2));
        var calm = false;
        using var simulation = new Simulation(
            seed,
            hosts,
            batch,
            budget,
            autoRollback: random.Next(4) > 0,
            faults: (_, _) => calm || random.Next(100) >= rate ? Fault.None : (Fault)random.Next(1, 7));
        using var stop = new StopSignal();
        var stopAt = random.Next(80);
        simulation.OnEvent = e =>
        {
            if (e is StepStarted && stopAt-- == 0) stop.Request();
        };

        var outcome = simulation.Deploy(stop);

        Assert.Multiple(() =>
        {
            Assert.That(simulation.Fleet.Violations, Is.Empty, $"seed {seed}");
            Assert.That(simulation.Events[^1], Is.TypeOf<DeploymentEnded>(), $"seed {seed}");
            Assert.That(simulation.Journal.StepsOf(outcome.Id).Where(s => s.End is null), Is.Empty, $"seed {seed}");
            if (outcome.Status == DeploymentStatus.RolledBack)
            {
                Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.Old), $"seed {seed}");
                Assert.That(simulation.Fleet.InRotation, Is.EqualTo(hosts), $"seed {seed}");
            }

            if (outcome.Status == DeploymentStatus.FailedUntouched) Assert.That(simulation.Fleet.InRotation, Is.EqualTo(hosts), $"seed {seed}");
            if (outcome.Status == DeploymentStatus.Succeeded && budget == 0) Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.New), $"seed {seed}");
        });

        // When the storm is over, deploying once more puts everything right.
        calm = true;
        simulation.Fleet.Revive();
        var again = simulation.Deploy(again: true);
        Assert.That(simulation.Fleet.InRotation, Is.EqualTo(hosts), $"seed {seed}: {outcome.Summary} / {again.Summary}");
        Assert.That(simulation.Fleet.Running, Is.All.EqualTo(Simulation.New), $"seed {seed}");
    }
}
