using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

public class JustDeployedTests
{
    [Test]
    [CancelAfter(120_000)]
    public async Task A_host_that_a_deployment_called_healthy_is_healthy_to_the_next_command(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(1, cancellation);
        // The agent's own checks begin after five of these: long after the deployment is over.
        var rare = (await File.ReadAllTextAsync(fleet.Manifest, cancellation))
            .Replace("interval: 200ms", "start_interval: 3s\n  rise: 1", StringComparison.Ordinal);
        await File.WriteAllTextAsync(fleet.Manifest, rare, cancellation);
        await fleet.DeployedAsync("1.0.0", cancellation);

        var plan = await fleet.DecantAsync(cancellation, "plan", "demo-1.0.0.tar.gz");
        var status = await fleet.DecantAsync(cancellation, "status");

        Assert.Multiple(() =>
        {
            Assert.That(plan.Output, Does.Contain("nothing to do"), plan.Everything);
            Assert.That(status.Output, Does.Match("web1 .* running "), status.Everything);
        });
    }
}
