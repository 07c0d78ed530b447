using System.Text.Json;
using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>Every command as an operator types it, against a real fleet of two hosts that runs 1.1.0 and had 1.0.0 before.</summary>
public class CommandLineTests
{
    private TestFleet fleet = null!;
    private Shell shell = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        fleet = await TestFleet.StartAsync(2, deadline.Token);
        shell = new Shell(fleet);
        await fleet.DeployedAsync("1.0.0", deadline.Token);
        await fleet.DeployedAsync("1.1.0", deadline.Token);
    }

    [OneTimeTearDown]
    public async Task EndAsync() => await fleet.DisposeAsync();

    [Test]
    [CancelAfter(60_000)]
    public async Task Init_writes_a_manifest_and_its_schema_once(CancellationToken cancellation)
    {
        var directory = Directory.CreateDirectory(Path.Combine(fleet.Directory, "my_shop")).FullName;

        var first = await shell.RunAsync("decant init", cancellation, directory);
        var second = await shell.RunAsync("decant init", cancellation, directory);

        Assert.Multiple(() =>
        {
            Assert.That(first.ExitCode, Is.Zero, first.Everything);
            Assert.That(File.ReadAllText(Path.Combine(directory, "decant.yml")), Does.Contain("app: my_shop"));
            Assert.That(File.Exists(Path.Combine(directory, "decant.schema.json")));
            Assert.That(second.ExitCode, Is.EqualTo(2), second.Everything);
            Assert.That(second.Errors, Does.Contain("is there already"));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_plan_of_what_runs_already_is_empty_and_one_of_the_old_release_has_a_wave_for_each_host(CancellationToken cancellation)
    {
        var nothing = await shell.RunAsync("decant plan demo-1.1.0.tar.gz", cancellation);
        var back = await shell.RunAsync("decant plan demo-1.0.0.tar.gz", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(nothing.ExitCode, Is.Zero, nothing.Everything);
            Assert.That(nothing.Output, Does.Contain("nothing to do"), fleet.AgentLogs());
            Assert.That(back.ExitCode, Is.Zero, back.Everything);
            Assert.That(back.Output, Does.Contain("2 of 2 hosts in 2 waves").And.Contain("wave 2 of 2").And.Contain("once, on web1: Demo.Release.migrate()"));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Shells_are_offered_the_deployments_of_this_machine(CancellationToken cancellation)
    {
        var listed = await shell.RunAsync("decant history --json", cancellation);
        var ids = listed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("deployment").GetString());

        var offered = await shell.RunAsync("decant '[suggest:12]' 'decant show '", cancellation);

        Assert.That(offered.Output.Split('\n').Where(o => o.StartsWith("20", StringComparison.Ordinal)), Is.EquivalentTo(ids), offered.Everything);
    }

    [TestCase("plan demo-1.0.0.tar.gz", "waves")]
    [TestCase("status", "host")]
    [TestCase("history", "deployment")]
    [TestCase("show", "steps")]
    [TestCase("logs -n 3", "text")]
    [TestCase("releases", "digest")]
    [TestCase("hosts", "agent_version")]
    [TestCase("deploy demo-1.1.0.tar.gz", "event")]
    [TestCase("drain web1 --json && decant undrain web1", "event")]
    [TestCase("migrate 1.1.0", "event")]
    [TestCase("rpc web1 'IO.puts(1)'", "text")]
    [TestCase("eval web1 'IO.puts(1)'", "text")]
    [TestCase("init fresh -m fresh/decant.yml", "schema")]
    [CancelAfter(60_000)]
    public async Task With_json_standard_output_has_one_object_a_line_and_nothing_else(string command, string property, CancellationToken cancellation)
    {
        Directory.CreateDirectory(Path.Combine(fleet.Directory, "fresh"));

        var result = await shell.RunAsync($"decant {command} --json", cancellation);

        Assert.That(result.ExitCode, Is.Zero, result.Everything);
        var lines = result.Output.TrimEnd('\n').Split('\n');
        Assert.That(lines.Select(line => JsonDocument.Parse(line).RootElement.ValueKind), Has.All.EqualTo(JsonValueKind.Object));
        Assert.That(lines, Has.Some.Contains($"\"{property}\":"), result.Everything);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task With_json_errors_leave_standard_output_empty(CancellationToken cancellation)
    {
        var results = new[]
        {
            await shell.RunAsync("decant status --json --no-such-option", cancellation),
            await shell.RunAsync("decant deploz --json", cancellation),
            await shell.RunAsync("decant status --json -m missing.yml", cancellation),
            await shell.RunAsync("decant show 20200101-000000-none --json", cancellation),
        };

        Assert.Multiple(() =>
        {
            Assert.That(results.Select(r => r.ExitCode), Has.All.EqualTo(2));
            Assert.That(results.Select(r => r.Output), Has.All.Empty);
            Assert.That(results.Select(r => r.Errors), Has.All.Not.Empty);
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Status_shows_each_host_at_its_balancer_and_the_last_deployment(CancellationToken cancellation)
    {
        var status = await shell.RunAsync("decant status", cancellation);

        Assert.That(status.ExitCode, Is.Zero, status.Everything);
        Assert.Multiple(() =>
        {
            Assert.That(status.Output, Does.Match(@"web1 +main +1\.1\.0 \([0-9a-f]{12}\) +running .*up, \d+ sessions?"), status.Everything);
            Assert.That(status.Output, Does.Match(@"web2 +main +1\.1\.0 .*up, \d+ sessions?"), status.Everything);
            Assert.That(status.Output, Does.Match(@"last deployment: \S+, deploy demo 1\.1\.0: succeeded .* ago"), status.Everything);
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task History_lists_deployments_newest_first_and_show_has_each_step_and_the_phases(CancellationToken cancellation)
    {
        var history = await shell.RunAsync("decant history", cancellation);
        var show = await shell.RunAsync("decant show", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(history.ExitCode, Is.Zero, history.Everything);
            Assert.That(history.Output.IndexOf("1.1.0", StringComparison.Ordinal), Is.LessThan(history.Output.IndexOf("1.0.0", StringComparison.Ordinal)));
            Assert.That(show.ExitCode, Is.Zero, show.Everything);
            Assert.That(show.Output, Does.Contain("deploy demo 1.1.0: succeeded").And.Contain("drain web1 at edge").And.Match(@"migrate +[\d.]+ m?s\n"));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Logs_begin_with_as_many_lines_as_asked_for_each_with_its_host(CancellationToken cancellation)
    {
        var both = await shell.RunAsync("decant logs -n 1", cancellation);
        var one = await shell.RunAsync("decant logs web2 -n 1", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(both.ExitCode, Is.Zero, both.Everything);
            Assert.That(both.Output.TrimEnd('\n').Split('\n'), Has.Length.EqualTo(2).And.Some.StartsWith("web1 | ").And.Some.StartsWith("web2 | "));
            Assert.That(one.Output.TrimEnd('\n').Split('\n'), Has.Length.EqualTo(1).And.None.StartsWith("web2 | "));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Followed_logs_bring_new_lines_until_ctrl_c_which_is_a_success(CancellationToken cancellation)
    {
        await using var logs = shell.Start("decant logs web1 -f -n 1");
        await Eventually.TrueAsync(() => Task.FromResult(logs.Output.Length > 0), "the last line is there", cancellation);

        var printed = await shell.RunAsync(
            "decant rpc web1 ':erlang.whereis(:user) |> IO.puts(\"a line that was written while somebody followed\")'", cancellation);
        Assert.That(printed.ExitCode, Is.Zero, printed.Everything);
        await logs.WaitForLineAsync("a line that was written while somebody followed", cancellation);
        await logs.SignalAsync("INT");

        Assert.That(await logs.WaitForExitAsync(cancellation), Is.Zero, logs.Output);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Releases_and_hosts_show_what_each_agent_has(CancellationToken cancellation)
    {
        var releases = await shell.RunAsync("decant releases", cancellation);
        var hosts = await shell.RunAsync("decant hosts", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(releases.ExitCode, Is.Zero, releases.Everything);
            Assert.That(releases.Output, Does.Match(@"web2 +1\.1\.0 .*in main").And.Match(@"web2 +1\.0\.0 .* last good"));
            Assert.That(hosts.ExitCode, Is.Zero, hosts.Everything);
            Assert.That(hosts.Output, Does.Contain($"127.0.0.1:{fleet.Hosts[0].AgentPort}").And.Contain("process"));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_drained_host_gets_no_requests_until_it_is_undrained(CancellationToken cancellation)
    {
        var drained = await shell.RunAsync("decant drain web2", cancellation);
        var meanwhile = await shell.RunAsync("decant status", cancellation);
        var undrained = await shell.RunAsync("decant undrain web2", cancellation);
        var after = await shell.RunAsync("decant status", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(drained.ExitCode, Is.Zero, drained.Everything);
            Assert.That(meanwhile.Output, Does.Match(@"web2 .*draining, 0 sessions"), meanwhile.Everything);
            Assert.That(undrained.ExitCode, Is.Zero, undrained.Everything);
            Assert.That(after.Output, Does.Match(@"web2 .*up, \d+ sessions?"), after.Everything);
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task The_last_host_in_rotation_is_not_drained(CancellationToken cancellation)
    {
        var text = await File.ReadAllTextAsync(fleet.Manifest, cancellation);
        await File.WriteAllTextAsync(
            Path.Combine(fleet.Directory, "impatient.yml"), text.Replace("drain_timeout: 20s", "drain_timeout: 500ms", StringComparison.Ordinal), cancellation);

        await shell.RunAsync("decant drain web2", cancellation);
        var refused = await shell.RunAsync("decant drain web1 -m impatient.yml", cancellation);
        await shell.RunAsync("decant undrain web2", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(refused.ExitCode, Is.Not.Zero, refused.Everything);
            Assert.That(refused.Errors, Does.Contain("web1"), refused.Everything);
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_migration_by_hand_runs_exactly_once_and_only_from_a_staged_release(CancellationToken cancellation)
    {
        var before = await RunsAsync(cancellation);
        var migrated = await shell.RunAsync("decant migrate 1.1.0", cancellation);
        var after = await RunsAsync(cancellation);
        var unknown = await shell.RunAsync("decant migrate 9.9.9", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(migrated.ExitCode, Is.Zero, migrated.Everything);
            Assert.That(after, Is.EqualTo(before + 1));
            Assert.That(unknown.ExitCode, Is.EqualTo(2), unknown.Everything);
            Assert.That(unknown.Errors, Does.Contain("no staged release 9.9.9"));
        });
    }

    [TestCase("rpc web1 'IO.puts(node())'", 0, "demo-web1", "")]
    [TestCase("rpc web1 'raise(\"on purpose\")'", 1, "", "on purpose")]
    [TestCase("eval web2 'IO.puts(1 + 1)'", 0, "2", "")]
    [TestCase("eval web2 'System.halt(3)'", 1, "", "web2")]
    [TestCase("eval nowhere ':ok'", 2, "", "the manifest has no host \"nowhere\"")]
    [CancelAfter(60_000)]
    public async Task An_expression_prints_its_output_and_its_failure_is_exit_code_1(
        string command, int exitCode, string output, string errors, CancellationToken cancellation)
    {
        var result = await shell.RunAsync($"decant {command}", cancellation);

        Assert.That((result.ExitCode, result.Output.Contains(output, StringComparison.Ordinal), result.Errors.Contains(errors, StringComparison.Ordinal)),
            Is.EqualTo((exitCode, true, true)), result.Everything);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Help_of_every_command_has_an_example_of_it(CancellationToken cancellation)
    {
        var commands = await CommandHelp.CommandsAsync(cancellation);
        Assert.That(commands, Has.Count.GreaterThan(10));
        foreach (var command in commands)
        {
            var help = await CommandHelp.OfAsync(command, cancellation);
            Assert.That(help, Does.Match($@"Example:\n  decant {command}\b"));
        }
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Versions_are_those_of_the_package(CancellationToken cancellation)
    {
        var decant = await shell.RunAsync("decant --version", cancellation);
        var decantd = await shell.RunAsync("decantd --version", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(decant.Output, Does.Match(@"^\d+\.\d+\.\d+\n$"));
            Assert.That(decantd.Output, Is.EqualTo($"decantd {decant.Output}"));
        });
    }

    [TestCase("deploz", "deploy")]
    [TestCase("status --jsno", "--json")]
    [TestCase("deploy", "archive")]
    [TestCase("logs -n many", "many")]
    [CancelAfter(60_000)]
    public async Task A_wrong_command_line_is_exit_code_2_and_says_what_was_meant(string command, string meant, CancellationToken cancellation)
    {
        var result = await shell.RunAsync($"decant {command}", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(result.ExitCode, Is.EqualTo(2), result.Everything);
            Assert.That(result.Output, Is.Empty);
            Assert.That(result.Errors, Does.Contain(meant).And.Contain("--help"));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_wrong_manifest_is_refused_with_every_place_and_what_was_meant(CancellationToken cancellation)
    {
        await File.WriteAllTextAsync(Path.Combine(fleet.Directory, "wrong.yml"), "app: demo\nhosts:\n  web1:\n    prot: 4001\nstrategy:\n  min_healthy: soon\n", cancellation);

        var wrong = await shell.RunAsync("decant status -m wrong.yml", cancellation);
        var missing = await shell.RunAsync("decant status -m missing.yml", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(wrong.ExitCode, Is.EqualTo(2), wrong.Everything);
            Assert.That(wrong.Errors, Does.Contain("wrong.yml:4:5").And.Contain("port").And.Contain("wrong.yml:6:16"), wrong.Everything);
            Assert.That(missing.ExitCode, Is.EqualTo(2), missing.Everything);
            Assert.That(missing.Errors, Does.Contain("missing.yml").And.Contain("decant init"));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_host_that_cannot_be_reached_is_named_and_the_others_are_shown(CancellationToken cancellation)
    {
        var text = await File.ReadAllTextAsync(fleet.Manifest, cancellation);
        await File.WriteAllTextAsync(Path.Combine(fleet.Directory, "gone.yml"), text.Replace($":{fleet.Hosts[1].AgentPort},", ":1,", StringComparison.Ordinal), cancellation);

        var status = await shell.RunAsync("decant status -m gone.yml", cancellation);
        var deploy = await shell.RunAsync("decant deploy demo-1.0.0.tar.gz -m gone.yml", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(status.ExitCode, Is.EqualTo(5), status.Everything);
            Assert.That(status.Output, Does.Match(@"web1 .*running").And.Match(@"web2 .*unreachable"), status.Everything);
            Assert.That(status.Errors, Does.Contain("web2").And.Contain("check that decantd runs there"));
            Assert.That(deploy.ExitCode, Is.EqualTo(5), deploy.Everything);
        });
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task A_person_who_watches_sees_a_row_for_each_host_and_then_the_account(CancellationToken cancellation)
    {
        var live = await shell.RunInTerminalAsync("decant deploy demo-1.0.0.tar.gz", cancellation);
        var plain = await shell.RunAsync("decant deploy demo-1.1.0.tar.gz", cancellation);
        var colourless = await shell.RunInTerminalAsync("decant status -m missing.yml", cancellation, "NO_COLOR=1");
        var coloured = await shell.RunInTerminalAsync("decant status -m missing.yml", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(live.ExitCode, Is.Zero, live.Everything);
            Assert.That(live.Output, Does.Match(@"│ web1 +│ wave 1 +│ stop").And.Match(@"│ web2 +│ wave 2 +│ done"), live.Everything);
            var account = live.Output[live.Output.LastIndexOf('╰')..];
            Assert.That(account, Does.Contain("demo 1.0.0 runs on 2 hosts").And.Match(@"deployment \S+: succeeded after"), live.Everything);
            Assert.That(plain.ExitCode, Is.Zero, plain.Everything);
            Assert.That(plain.Output, Does.Not.Contain("\u001b").And.Match(@"(?m)^\d\d:\d\d:\d\d\.\d .*drain web2 at edge"), plain.Everything);
            Assert.That(coloured.Output, Does.Contain("\u001b["), coloured.Everything);
            Assert.That(colourless.Output, Does.Not.Match("\u001b\\[[0-9;]*m"), colourless.Everything);
        });
    }

    private async Task<int> RunsAsync(CancellationToken cancellation)
    {
        var rows = await CommandResult.RunAsync("sqlite3", [fleet.Database, "select count(*) from migration_runs"], cancellation);
        return int.Parse(rows.Output, System.Globalization.CultureInfo.InvariantCulture);
    }
}
