using System.Text.Json;
using Decant.EndToEnd.Harness;
using Decant.V1;

namespace Decant.EndToEnd;

/// <summary>What somebody does to a fleet past its deployments is found, and mended by a plan, while requests flow.</summary>
public class RepairTests
{
    private const int Drift = 8;

    [Test]
    [CancelAfter(240_000)]
    public async Task What_was_stopped_and_taken_out_by_hand_is_found_with_its_commands_and_repaired_without_a_failed_request(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(3, cancellation);
        await fleet.DeployedAsync("1.0.0", cancellation);
        var fine = await fleet.DecantAsync(cancellation, "status", "--check");

        CommandResult found = null!, json = null!, proposed = null!, unasked = null!, repaired = null!;
        var report = await fleet.UnderLoadAsync(
            async _ =>
            {
                await fleet.DecantAsync(cancellation, "drain", "web1");
                await AgentClient.ResultAsync(
                    new AgentClient(fleet.Hosts[0]).Instances.Stop(new StopRequest { Operation = AgentClient.NewOperation(), App = "demo", Slot = "main" }, cancellationToken: cancellation), cancellation);
                await fleet.DecantAsync(cancellation, "drain", "web2");
                found = await fleet.DecantAsync(cancellation, "status", "--check");
                json = await fleet.DecantAsync(cancellation, "status", "--json");
                proposed = await fleet.DecantAsync(cancellation, "repair", "--dry-run");
                unasked = await fleet.DecantAsync(cancellation, "repair");
                repaired = await fleet.DecantAsync(cancellation, "repair", "--yes");
            },
            cancellation);
        var after = await fleet.DecantAsync(cancellation, "status", "--check");
        var history = await fleet.DecantAsync(cancellation, "history", "-n", "1");
        var nothing = await fleet.DecantAsync(cancellation, "repair", "--yes");

        Assert.Multiple(() =>
        {
            Assert.That(report.Failed, Is.Zero, $"{report}\n{repaired.Everything}");
            Assert.That(fine.ExitCode, Is.Zero, fine.Everything);
            Assert.That(fine.Output, Does.Contain("everything is as it should be"));
            Assert.That(found.ExitCode, Is.EqualTo(Drift), found.Everything);
            Assert.That(found.Output, Does.Match(@"web1 \(main\): 1\.0\.0-[0-9a-f]{12} is stopped.*\n +should be: 1\.0\.0-[0-9a-f]{12} runs\n +mend: decant repair"), found.Everything);
            Assert.That(found.Output, Does.Match(@"web2 \(main\): web2 is drained at edge\n +should be: it is in rotation\n +mend: decant undrain web2"), found.Everything);
            Assert.That(json.ExitCode, Is.Zero, "without --check it only tells");
            var kinds = json.Output.TrimEnd('\n').Split('\n').Select(l => JsonDocument.Parse(l).RootElement).Where(e => e.TryGetProperty("finding", out _)).Select(e => e.GetProperty("finding").GetString());
            Assert.That(kinds, Is.EqualTo(new[] { "stopped", "out_of_rotation" }), json.Everything);
            Assert.That(proposed.ExitCode, Is.EqualTo(Drift), proposed.Everything);
            Assert.That(proposed.Output, Does.Contain("repair demo: 2 of 3 hosts in 2 waves").And.Contain("it is started because you ask for it").And.Not.Contain("migrate"), proposed.Everything);
            Assert.That(unasked.ExitCode, Is.EqualTo(Drift), unasked.Everything);
            Assert.That(unasked.Errors, Does.Contain("add --yes"));
            Assert.That(repaired.ExitCode, Is.Zero, $"{repaired.Everything}\n{fleet.AgentLogs()}");
            Assert.That(after.ExitCode, Is.Zero, after.Everything);
            Assert.That(fleet.VersionsAsync(cancellation).Result, Is.All.EqualTo("1.0.0"));
            Assert.That(history.Output, Does.Match(@"repair +1\.0\.0 .*succeeded"), history.Everything);
            Assert.That(nothing.ExitCode, Is.Zero, nothing.Everything);
            Assert.That(nothing.Output, Does.Contain("repair demo: nothing to do"), nothing.Everything);
        });
    }

    [Test]
    [CancelAfter(240_000)]
    public async Task A_host_that_was_set_up_anew_gets_the_fleets_release_from_its_archive_and_no_migration(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(2, cancellation);
        await fleet.DeployedAsync("1.0.0", cancellation);
        var host = fleet.Hosts[1];
        await host.StopAgentAsync(cancellation);
        await LeftProcesses.KillAsync(host.Directory);
        Directory.Delete(host.Data, recursive: true);
        var gone = await fleet.DecantAsync(cancellation, "repair", "--dry-run");
        await host.StartAgentAsync(cancellation);

        var status = await fleet.DecantAsync(cancellation, "status", "--check");
        var repaired = await fleet.DecantAsync(cancellation, "repair", "--yes");

        Assert.Multiple(() =>
        {
            Assert.That(gone.ExitCode, Is.EqualTo(Drift), gone.Everything);
            Assert.That(gone.Output, Does.Contain("nothing to do by a plan").And.Contain("on web2: systemctl restart decantd"), gone.Everything);
            Assert.That(status.ExitCode, Is.EqualTo(Drift), status.Everything);
            Assert.That(status.Output, Does.Match(@"web2 \(main\): nothing runs\n +should be: 1\.0\.0-[0-9a-f]{12} runs\n +mend: decant repair"), status.Everything);
            Assert.That(repaired.ExitCode, Is.Zero, $"{repaired.Everything}\n{fleet.AgentLogs()}");
            Assert.That(repaired.Output, Does.Match(@"stage +web2"), repaired.Everything);
            Assert.That(fleet.VersionsAsync(cancellation).Result, Is.All.EqualTo("1.0.0"));
            Assert.That(fleet.MigrationRunsAsync("1.0.0", cancellation).Result, Is.EqualTo(1));
        });
    }
}
