using Decant.EndToEnd.Harness;
using Decant.V1;
using Grpc.Core;

namespace Decant.EndToEnd;

/// <summary>A machine is lost in the middle of a deployment; another one, with nothing but decant.yml, asks the agents and goes on.</summary>
public class ElsewhereTests() : TwoMachines(minHealthy: "2s")
{
    private const int Usage = 2;

    [Test]
    [CancelAfter(180_000)]
    public async Task A_deployment_whose_controller_was_killed_under_load_goes_on_from_another_machine_that_knows_only_the_manifest(CancellationToken cancellation)
    {
        var archive = await DemoRelease.BuildAsync("1.1.0", Fleet.Directory, cancellation);
        CommandResult early = null!, running = null!, shown = null!, resumed = null!;
        string id = "", output = "";
        var report = await Fleet.UnderLoadAsync(
            async _ =>
            {
                await using var first = await InTheMiddleAsync(archive, cancellation);
                (id, output) = (DeploymentEvents.In(first.Output).Deployment, first.Output);
                running = await Fleet.DecantElsewhereAsync(cancellation, "show", id);
                early = await Fleet.DecantElsewhereAsync(cancellation, "resume", id);
                await first.KillAsync();
                // The release is on every host: its archive is not needed any more.
                File.Move(archive, $"{archive}.gone");
                await Eventually.TrueAsync(
                    async () => (shown = await Fleet.DecantElsewhereAsync(cancellation, "show", id)).Output.Contains(": interrupted", StringComparison.Ordinal),
                    "the leases expire",
                    cancellation);
                resumed = await Fleet.DecantElsewhereAsync(cancellation, "resume", id, "--json");
            },
            cancellation);
        var told = await Fleet.DecantAsync(cancellation, "resume", id);
        var here = await Fleet.DecantAsync(cancellation, "show", id);
        var history = await Fleet.DecantAsync(cancellation, "history", "-n", "1");

        var everything = $"{output}\n{running.Everything}\n{early.Everything}\n{shown.Everything}\n{resumed.Everything}\n{told.Everything}\n{here.Everything}\n{Fleet.AgentLogs()}";
        Assert.That(report.Failed, Is.Zero, $"{report}\n{everything}");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(running.Output, Does.Contain(": running").And.Match("drain web1 at edge .*, no sessions").And.Match("wait until demo 1.1.0.* on web1 .*: not ended"), everything);
            Assert.That(running.Errors, Does.Match($@"deployment {id}: attempt 1, by \S+ on \S+, is known from the agents of web1, web2, balancer edge"), everything);
            Assert.That(early.ExitCode, Is.EqualTo(Refused), everything);
            Assert.That(early.Errors, Does.Match(@"demo is being changed by \S+ on \S+ \(pid \d+\), deploying demo 1\.1\.0"), everything);
            Assert.That(resumed.ExitCode, Is.Zero, everything);
            Assert.That(DeploymentEvents.In(resumed.Output).Steps, Has.None.StartsWith("migrate").And.None.EqualTo("stop web1"), "what is done is not done again");
            Assert.That(told.ExitCode, Is.EqualTo(Usage), everything);
            Assert.That(told.Errors, Does.Match($@"deployment {id} is over: Succeeded; \S+ on \S+ went on with it and ended it, in attempt 2"), everything);
            Assert.That(here.Output, Does.Contain(": succeeded").And.Contain("attempt 1").And.Contain("attempt 2").And.Match(@"by \S+ on \S+, from"), everything);
            Assert.That(history.Output, Does.Match($"{id} .*succeeded"), everything);
            Assert.That(await Fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { "1.1.0", "1.1.0" }));
            Assert.That(await Fleet.MigrationRunsAsync("1.1.0", cancellation), Is.EqualTo(1));
        }
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task A_host_that_lacks_the_release_needs_its_archive_and_no_other(CancellationToken cancellation)
    {
        var archive = await DemoRelease.BuildAsync("1.2.0", Fleet.Directory, cancellation);
        var other = await DemoRelease.BuildAsync("1.2.1", Fleet.Directory, cancellation);
        var release = AgentClient.Announce("1.2.0", await File.ReadAllBytesAsync(archive, cancellation));
        await using var first = await InTheMiddleAsync(archive, cancellation);
        await first.KillAsync();
        var id = DeploymentEvents.In(first.Output).Deployment;
        var gone = $"{archive}.gone";
        File.Move(archive, gone);
        await Eventually.TrueAsync(
            async () => (await Fleet.DecantElsewhereAsync(cancellation, "show", id)).Output.Contains(": interrupted", StringComparison.Ordinal), "the leases expire", cancellation);
        using (var removed = new Releases.ReleasesClient(Fleet.Hosts[1].Channel).RemoveRelease(
            new RemoveReleaseRequest { Operation = AgentClient.NewOperation(), App = "demo", Release = release }, cancellationToken: cancellation))
        {
            await removed.ResponseStream.ReadAllAsync(cancellation).LastAsync(cancellation);
        }

        var without = await Fleet.DecantElsewhereAsync(cancellation, "resume", id);
        var wrong = await Fleet.DecantElsewhereAsync(cancellation, "resume", id, "--archive", other);
        var right = await Fleet.DecantElsewhereAsync(cancellation, "resume", id, "--archive", gone);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(without.ExitCode, Is.EqualTo(Usage), without.Everything);
            Assert.That(without.Errors, Does.Contain("web2 does not have demo 1.2.0").And.Contain($"decant resume {id} --archive FILE").And.Contain("nothing was touched"));
            Assert.That(wrong.ExitCode, Is.EqualTo(Usage), wrong.Everything);
            Assert.That(wrong.Errors, Does.Contain("1.2.1").And.Contain("the archive that the deployment was begun with"));
            Assert.That(right.ExitCode, Is.Zero, $"{right.Everything}\n{Fleet.AgentLogs()}");
            Assert.That(await Fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { "1.2.0", "1.2.0" }));
        }
    }
}
