using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>A real database through a real migration and back: only when asked for, once, and after every host is back.</summary>
public class DownMigrationTests
{
    [Test]
    [CancelAfter(240_000)]
    public async Task The_down_migration_runs_once_from_the_new_release_when_every_host_is_back_and_no_request_fails(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(2, cancellation);
        await fleet.DeployedAsync("1.0.0", cancellation);
        await fleet.DeployedAsync("2.0.0", cancellation, "--migrations", "4");
        var refused = await fleet.DecantAsync(cancellation, "rollback", "--down-migration");
        var untouched = await fleet.VersionsAsync(cancellation);
        fleet.ChangeManifest("run: Demo.Release.migrate()", "run: Demo.Release.migrate()\n  down: Demo.Release.rollback(20260301)");
        var plan = await fleet.DecantAsync(cancellation, "rollback", "--down-migration", "--dry-run");
        var before = await QueryAsync(fleet, "SELECT max(version) FROM schema_migrations", cancellation);

        CommandResult rollback = null!;
        var report = await fleet.UnderLoadAsync(async _ => rollback = await fleet.DecantAsync(cancellation, "rollback", "--down-migration", "--json"), cancellation);
        var show = await fleet.DecantAsync(cancellation, "show");

        var events = DeploymentEvents.In(rollback.Output);
        Assert.Multiple(() =>
        {
            Assert.That(refused.ExitCode, Is.EqualTo(2), refused.Everything);
            Assert.That(refused.Errors, Does.Contain("no migrations.down"));
            Assert.That(untouched, Is.All.EqualTo("2.0.0"));
            Assert.That(plan.ExitCode, Is.Zero, plan.Everything);
            Assert.That(plan.Output, Does.Match(@"migrate-down once, on web1, from 2\.0\.0-[0-9a-f]{12}: Demo\.Release\.rollback\(20260301\)"), plan.Everything);
            Assert.That(before, Is.EqualTo("20260401"));
            Assert.That(report.Failed, Is.Zero, $"{report}\n{rollback.Everything}");
            Assert.That(rollback.ExitCode, Is.Zero, $"{rollback.Everything}\n{fleet.AgentLogs()}");
            Assert.That(events.Steps[^1], Is.EqualTo("migrate-down web1"), "after everything else");
            Assert.That(events.End.GetProperty("message").GetString(), Does.Contain("The down-migration was run from 2.0.0 on web1."));
            Assert.That(fleet.VersionsAsync(cancellation).Result, Is.All.EqualTo("1.0.0"));
            Assert.That(QueryAsync(fleet, "SELECT max(version) FROM schema_migrations", cancellation).Result, Is.EqualTo("20260201"));
            Assert.That(QueryAsync(fleet, "SELECT count(*) FROM sqlite_master WHERE name = 'customers'", cancellation).Result, Is.EqualTo("0"));
            Assert.That(QueryAsync(fleet, "SELECT group_concat(by) FROM rollback_runs", cancellation).Result, Is.EqualTo("2.0.0"));
            Assert.That(show.Output, Does.Contain("run the down-migration once, from demo 2.0.0"), show.Everything);
        });
    }

    private static async Task<string> QueryAsync(TestFleet fleet, string query, CancellationToken cancellation)
    {
        var result = await CommandResult.RunAsync("/usr/bin/sqlite3", [fleet.Database, query], cancellation);
        return result.ExitCode == 0 ? result.Output.Trim() : throw new TestException(result.Everything);
    }
}
