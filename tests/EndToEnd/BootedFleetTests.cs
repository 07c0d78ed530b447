using Decant.EndToEnd.Harness;
using Decant.V1;

namespace Decant.EndToEnd;

/// <summary>The whole of it as it is in production: booted hosts, agents that are not root, releases as units, HAProxy on a host of its own.</summary>
public class BootedFleetTests
{
    private BootedFleet fleet = null!;

    [OneTimeSetUp]
    public async Task Boot()
    {
        fleet = await BootedFleet.BootAsync(CancellationToken.None);
        await DeployedAsync("1.0.0", CancellationToken.None);
    }

    [OneTimeTearDown]
    public async Task End()
    {
        if (fleet is not null) await fleet.DisposeAsync();
    }

    [Test]
    [CancelAfter(240_000)]
    public async Task A_release_rolls_over_three_booted_hosts_under_load_and_no_request_fails(CancellationToken cancellation)
    {
        var next = await GoOnAsync(cancellation) == "1.0.0" ? "2.0.0" : "1.0.0";
        var archive = await fleet.BuildAsync(next, cancellation);

        CommandResult deployment = null!;
        var report = await FleetUnderLoad.UnderLoadAsync(fleet.Url, async _ => deployment = await fleet.DecantAsync(cancellation, "deploy", archive), cancellation);

        Assert.That(deployment.ExitCode, Is.Zero, deployment.Everything);
        Assert.That(report.Failed, Is.Zero, $"{report}\n{deployment.Everything}");
        Assert.That(deployment.Output, Does.Contain("stopped by script"));
        TestContext.Out.WriteLine($"{report}");
        foreach (var host in fleet.Hosts) Assert.That(await BootedFleet.VersionAsync(host, cancellation), Is.EqualTo(next));
    }

    [Test]
    [CancelAfter(240_000)]
    public async Task An_agent_that_is_killed_under_load_is_back_by_itself_and_no_request_fails(CancellationToken cancellation)
    {
        await GoOnAsync(cancellation);
        var host = fleet.Hosts[1];
        var before = await InstanceAsync(host, cancellation);

        var report = await FleetUnderLoad.UnderLoadAsync(
            fleet.Url,
            async _ =>
            {
                await host.Host.DoneAsync("systemctl kill --signal=KILL decantd", cancellation);
                await Eventually.TrueAsync(async () => (await host.UnitAsync("decantd", "ActiveState,NRestarts", cancellation)) is { } unit && unit["ActiveState"] == "active" && unit["NRestarts"] != "0", "the next agent", cancellation);
            },
            cancellation);
        var after = await InstanceAsync(host, cancellation);

        Assert.That(report.Failed, Is.Zero, $"{report}");
        Assert.That((after.Pid, after.Adopted, after.Restarts), Is.EqualTo((before.Pid, true, 0u)));
    }

    [Test]
    [CancelAfter(240_000)]
    public async Task A_host_that_is_rebooted_serves_the_right_release_again_by_itself_and_what_was_stopped_by_hand_stays_stopped(CancellationToken cancellation)
    {
        var version = await GoOnAsync(cancellation);
        var (rebooted, halted) = (fleet.Hosts[0], fleet.Hosts[2]);
        await halted.Host.DoneAsync("systemctl stop decant-app@demo-main", cancellation);
        await Eventually.TrueAsync(async () => (await InstanceAsync(halted, cancellation)).StoppedByHand, "that the agent has seen it", cancellation);

        await Task.WhenAll(rebooted.Host.RebootAsync(cancellation), halted.Host.RebootAsync(cancellation));

        await Eventually.TrueAsync(
            async () => await BootedFleet.VersionAsync(rebooted, cancellation) == version
                && await InstanceAsync(rebooted, cancellation) is { State: InstanceState.Running },
            "the release after the reboot",
            cancellation);
        var (after, still) = (await InstanceAsync(rebooted, cancellation), await InstanceAsync(halted, cancellation));
        var status = await fleet.DecantAsync(cancellation, "status");
        Assert.Multiple(() =>
        {
            Assert.That((after.State, after.Release.Version), Is.EqualTo((InstanceState.Running, version)));
            Assert.That((still.State, still.StoppedByHand), Is.EqualTo((InstanceState.Stopped, true)));
            Assert.That(status.Output, Does.Contain("stopped by hand"), status.Everything);
        });
    }

    /// <summary>The version that all hosts serve: where the test before ended, or 1.0.0 when that was not one.</summary>
    private async Task<string> GoOnAsync(CancellationToken cancellation)
    {
        var versions = await Task.WhenAll(fleet.Hosts.Select(host => BootedFleet.VersionAsync(host, cancellation)));
        if (versions.Distinct().Count() == 1 && versions[0].Length > 0) return versions[0];
        await DeployedAsync("1.0.0", cancellation);
        return "1.0.0";
    }

    private async Task DeployedAsync(string version, CancellationToken cancellation)
    {
        var done = await fleet.DecantAsync(cancellation, "deploy", await fleet.BuildAsync(version, cancellation));
        if (done.ExitCode != 0) throw new TestException($"{done.Everything}\n{await fleet.JournalsAsync()}");
    }

    private static async Task<Instance> InstanceAsync(AgentOnHost host, CancellationToken cancellation)
        => await host.Client.Instances.GetInstanceAsync(new GetInstanceRequest { App = "demo", Slot = "main" }, cancellationToken: cancellation);
}
