using Decant.Agent.Elixir;
using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.Agent.Tests.Balancers;
using Decant.EndToEnd.Harness;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Tests.Elixir;

/// <summary>Migrations of a real release on a real database, which counts every run itself.</summary>
[Parallelizable(ParallelScope.Self)]
public class MigrationsTests
{
    private const string Migrate = "Demo.Release.migrate()";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private AgentHost host = null!;
    private RecordedReport report = null!;
    private AgentDatabase database = null!;
    private string databaseFile = "";
    private int tests;

    [OneTimeSetUp]
    public async Task Open() => host = await AgentHost.CreateAsync();

    [OneTimeTearDown]
    public async Task Close() => await host.DisposeAsync();

    [SetUp]
    public void Begin()
    {
        tests++;
        report = new RecordedReport();
        databaseFile = Path.Combine(host.Path, $"shop-{tests}.db");
        database = AgentDatabase.Open(AgentFile);
    }

    [TearDown]
    public void End() => database.Dispose();

    [Test]
    [CancelAfter(120_000)]
    public async Task A_migration_runs_once_for_a_deployment_even_after_the_agents_restart_and_again_for_the_next(CancellationToken cancellation)
    {
        var first = await RunAsync("d1", Migrate, cancellation);
        database.Dispose();
        database = AgentDatabase.Open(AgentFile);
        var again = await RunAsync("d1", Migrate, cancellation);
        var runsOfOne = await RunsAsync(cancellation);
        var next = await RunAsync("d2", Migrate, cancellation);

        Assert.Multiple(async () =>
        {
            Assert.That((first.AlreadyDone, again.AlreadyDone, next.AlreadyDone), Is.EqualTo((false, true, false)));
            Assert.That(first.Tail.Select(l => l.Text), Is.EqualTo(new[]
            {
                "migrating to 2.0.0: 2 to do", "migrating 20260101 create orders", "migrating 20260201 add an order", "migrated",
            }));
            Assert.That(again.Elapsed, Is.EqualTo(first.Elapsed), "how long it took when it ran");
            Assert.That(runsOfOne, Is.EqualTo(1));
            Assert.That(await RunsAsync(cancellation), Is.EqualTo(2));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Its_output_comes_line_by_line_while_it_runs(CancellationToken cancellation)
    {
        var running = RunAsync("d1", Migrate, cancellation, ("DEMO_MISBEHAVE", "slow_migration"), ("DEMO_MIGRATION_MS", "1500"));

        await Eventually.TrueAsync(() => report.Lines.Any(l => l.Text.EndsWith("10 %", StringComparison.Ordinal)), "the first line");
        var ended = running.IsCompleted;
        await running;

        Assert.That(ended, Is.False, "the line came before the end");
        Assert.That(report.Lines.Where(l => l.Text.Contains("rewriting", StringComparison.Ordinal)).Select(l => l.Text),
            Is.EqualTo(Enumerable.Range(1, 10).Select(n => $"rewriting the table orders: {n * 10} %")));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_failing_one_says_its_exit_code_and_last_lines_and_may_be_tried_again(CancellationToken cancellation)
    {
        var error = await AgentHost.RefusedAsync(() => RunAsync("d1", Migrate, cancellation, ("DEMO_MISBEHAVE", "failing_migration")));
        var mended = await RunAsync("d1", Migrate, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("MIGRATION_FAILED"));
            Assert.That(error.Message, Does.StartWith("the migration of demo 2.0.0 failed with exit code 1; its last lines:\n"));
            Assert.That(error.Message, Does.Contain("column \"price\" does not exist"));
            Assert.That(report.Lines, Has.Some.Matches<OutputLine>(l => l!.IsError && l.Text.Contains("price", StringComparison.Ordinal)));
            Assert.That(mended.AlreadyDone, Is.False);
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task At_its_deadline_all_of_it_is_killed_with_the_programs_that_it_runs(CancellationToken cancellation)
    {
        // Both in sessions of their own, made by the VM; one of them does not listen to SIGTERM.
        var mark = $"{host.Path}/mark";
        var expression = $$"""
            spawn(fn -> System.cmd("sh", ["-c", "trap '' TERM; sleep 600; : {{mark}}"]) end)
            IO.puts("rewriting")
            System.cmd("sh", ["-c", "sleep 600; : {{mark}}"])
            """;

        var error = await AgentHost.RefusedAsync(() => RunAsync("d1", expression, TimeSpan.FromSeconds(3), cancellation));

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("MIGRATION_TIMEOUT"));
            Assert.That(error.Message, Does.StartWith("the migration of demo 2.0.0 did not end within 3 s and was killed; its last lines:\nrewriting"));
        });
        await Eventually.TrueAsync(() => !LeftProcesses.Find(mark).Any(), "the end of all that it started");
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task One_that_the_agent_did_not_see_the_end_of_is_uncertain_and_is_not_run_again_for_that_deployment(CancellationToken cancellation)
    {
        var dying = RunAsync("d1", Migrate, cancellation, ("DEMO_MISBEHAVE", "slow_migration"), ("DEMO_MIGRATION_MS", "1500"));
        await Eventually.TrueAsync(() => !report.Lines.IsEmpty, "the migration's first line");
        // From here on nothing is written down any more, as when the agent is killed.
        database.Dispose();
        Assert.That(async () => await dying, Throws.Exception);

        database = AgentDatabase.Open(AgentFile);
        var error = await AgentHost.RefusedAsync(() => RunAsync("d1", Migrate, cancellation));
        var runs = await RunsAsync(cancellation);
        var next = await RunAsync("d2", Migrate, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("MIGRATION_UNCERTAIN"));
            Assert.That(error.WhatNext, Does.Contain("start a new deployment"));
            Assert.That(runs, Is.EqualTo(1));
            Assert.That(next.AlreadyDone, Is.False);
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task While_one_that_outlived_its_agent_still_runs_no_other_is_begun(CancellationToken cancellation)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var orphan = RunAsync("d1", "IO.puts(\"begun\"); Process.sleep(600_000)", end.Token);
        await Eventually.TrueAsync(() => !report.Lines.IsEmpty, "the migration's first line");
        database.Dispose();

        database = AgentDatabase.Open(AgentFile);
        var same = await AgentHost.RefusedAsync(() => RunAsync("d1", Migrate, cancellation));
        var next = await AgentHost.RefusedAsync(() => RunAsync("d2", Migrate, cancellation));
        await end.CancelAsync();
        Assert.That(async () => await orphan, Throws.Exception);
        var after = await RunAsync("d2", Migrate, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That((same.Reason, next.Reason), Is.EqualTo(("MIGRATION_RUNNING", "MIGRATION_RUNNING")));
            Assert.That(next.Message, Does.Match("still runs as pid \\d+$"));
            Assert.That(after.AlreadyDone, Is.False);
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task One_that_is_cancelled_or_never_begins_is_not_uncertain(CancellationToken cancellation)
    {
        using var cancelled = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var running = RunAsync("d1", "Process.sleep(600_000)", cancelled.Token);
        await cancelled.CancelAsync();
        Assert.That(async () => await running, Throws.InstanceOf<OperationCanceledException>());
        var file = Path.Combine(Directory.CreateDirectory(host.Configuration.AppsDirectory).FullName, "demo.env");
        await File.WriteAllTextAsync(file, "BROKEN", cancellation);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        OperatorError error;
        try
        {
            error = await AgentHost.RefusedAsync(() => RunAsync("d1", Migrate, cancellation));
        }
        finally
        {
            File.Delete(file);
        }

        var migrated = await RunAsync("d1", Migrate, cancellation);

        Assert.That((error.Reason, migrated.AlreadyDone), Is.EqualTo(("ENV_FILE_INVALID", false)));
    }

    private string AgentFile => Path.Combine(host.Path, $"agent-{tests}.db");

    private Task<Migrated> RunAsync(string deployment, string expression, CancellationToken cancellation, params (string, string)[] variables)
        => RunAsync(deployment, expression, Patience, cancellation, variables);

    private Task<Migrated> RunAsync(
        string deployment, string expression, TimeSpan timeout, CancellationToken cancellation, params (string, string)[] variables)
        => new Migrations(host.Script, database, TimeProvider.System).RunAsync(
            AgentHost.Target("main", host.Spec("demo-main@127.0.0.1", [("DEMO_DB", databaseFile), .. variables]), host.Two),
            DeploymentId.Parse(deployment),
            expression,
            timeout,
            report,
            cancellation);

    private async Task<int> RunsAsync(CancellationToken cancellation)
    {
        var result = await CommandResult.RunAsync("sqlite3", [databaseFile, "select count(*) from migration_runs"], cancellation);
        return int.Parse(result.Output, System.Globalization.CultureInfo.InvariantCulture);
    }
}
