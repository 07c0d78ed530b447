using Decant.Controller.Execution;
using Decant.Controller.Planning;
using Decant.Names;

namespace Decant.Controller.Tests.Execution;

public class RotationGuardTests
{
    [Test]
    public void A_host_that_serves_is_not_drained_while_too_few_others_do_and_those_are_named()
    {
        using var simulation = new Simulation(seed: 1, hosts: 4, min: 3);
        var told = new List<string>();
        var guard = new RotationGuard(simulation.Fleet, simulation.Manifest, simulation.Turns);
        simulation.Turns.Run(simulation.Fleet.RunAsync(
            Drain(simulation, host: 3), OperationId.Parse("by-hand/drain"), DeploymentId.Parse("by-hand"), _ => { }, CancellationToken.None));

        var refusal = simulation.Turns.Run(guard.WhyNotAsync(Drain(simulation, host: 0), told.Add, CancellationToken.None));

        Assert.That(refusal!.Reason, Is.EqualTo("TOO_FEW_IN_ROTATION"));
        Assert.That(refusal.Message, Does.EndWith("web1 serves, and of the others web2, web3 alone: strategy.min_in_rotation is 3 of 4 hosts"));
        Assert.That(told, Has.Count.EqualTo(1));
    }

    private static DrainStep Drain(Simulation simulation, int host)
        => new(simulation.Manifest.Balancers[0], simulation.Manifest.Hosts[host], simulation.Manifest.App, TimeSpan.FromSeconds(5), 0);
}
