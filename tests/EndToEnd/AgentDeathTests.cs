using Decant.EndToEnd.Harness;
using Decant.V1;

namespace Decant.EndToEnd;

public class AgentDeathTests
{
    [Test]
    [CancelAfter(180_000)]
    public async Task A_release_serves_on_when_its_agent_is_killed_and_the_next_agent_adopts_it(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(1, cancellation);
        await fleet.DeployedAsync("1.0.0", cancellation);
        var host = fleet.Hosts[0];
        var before = await InstanceAsync(host, cancellation);

        await host.KillAgentAsync();
        using var http = new HttpClient();
        var whileDead = await http.GetStringAsync($"http://127.0.0.1:{host.AppPort}/version", cancellation);
        await host.StartAgentAsync(cancellation);
        var after = await InstanceAsync(host, cancellation);
        var status = await fleet.DecantAsync(cancellation, "status");

        Assert.Multiple(() =>
        {
            Assert.That(whileDead.Trim(), Is.EqualTo("1.0.0"));
            Assert.That((after.Pid, after.StartTicks), Is.EqualTo((before.Pid, before.StartTicks)), "the same process");
            Assert.That(before.Adopted, Is.False);
            Assert.That(after.Adopted, Is.True);
            Assert.That(status.ExitCode, Is.Zero, status.Everything);
            Assert.That(status.Output, Does.Contain("re-adopted"), status.Everything);
        });
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task An_adopted_release_can_be_replaced_as_any_other(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(1, cancellation);
        await fleet.DeployedAsync("1.0.0", cancellation);
        var host = fleet.Hosts[0];
        await host.KillAgentAsync();
        await host.StartAgentAsync(cancellation);

        await fleet.DeployedAsync("1.1.0", cancellation);

        Assert.That((await InstanceAsync(host, cancellation)).Release.Version, Is.EqualTo("1.1.0"));
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task A_release_that_died_while_no_agent_watched_is_started_again_by_the_next_agent(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(1, cancellation);
        await fleet.DeployedAsync("1.0.0", cancellation);
        var host = fleet.Hosts[0];
        var before = await InstanceAsync(host, cancellation);

        await host.StopAgentAsync(cancellation);
        using (var release = System.Diagnostics.Process.GetProcessById((int)before.Pid)) release.Kill();
        await host.StartAgentAsync(cancellation);
        using var http = new HttpClient();
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    return (await http.GetStringAsync($"http://127.0.0.1:{host.AppPort}/version", cancellation)).Trim() == "1.0.0";
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            "the release serves again",
            cancellation);

        Assert.That((await InstanceAsync(host, cancellation)).Pid, Is.Not.EqualTo(before.Pid));
    }

    private static async Task<Instance> InstanceAsync(TestHost host, CancellationToken cancellation)
        => await new AgentClient(host).Instances.GetInstanceAsync(
            new GetInstanceRequest { App = "demo", Slot = "main" }, cancellationToken: cancellation);
}
