using System.Text.Json;
using System.Text.RegularExpressions;
using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>The README does what it says: its commands run, in their order, against a real fleet; its tables are those of the code.</summary>
public partial class ReadmeTests
{
    /// <summary>Command lines that this test does not run, each with who does.</summary>
    private static readonly Dictionary<string, string> RunElsewhere = new()
    {
        ["bash packaging/demo.sh"] = "needs minutes and its own fleet; a person's command",
        ["bash tests/run.sh"] = "runs this test",
        ["bash packaging/publish.sh"] = "tests/run.sh runs it before the end-to-end tests",
        ["DECANT_TEST_LONG=1 dotnet test tests/Fuzzing"] = "tests/run.sh does it for seconds; it takes hours",
        ["bash packaging/deb.sh"] = "PackageTests",
        ["dotnet run"] = "the benchmarks, which measure and decide nothing",
        ["export DECANT_TEST_BIN"] = "for the benchmarks",
    };

    private static string Text => File.ReadAllText(Path.Combine(Programs.Repository, "README.md"));

    [Test]
    [CancelAfter(300_000)]
    public async Task Every_command_does_what_the_readme_says(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(2, cancellation);
        await fleet.DeployedAsync("1.4.1", cancellation);
        await DemoRelease.BuildAsync("1.4.2", fleet.Directory, cancellation);
        var shell = new Shell(fleet);

        var run = 0;
        foreach (var line in CommandLines())
        {
            if (RunElsewhere.Keys.Any(known => line.StartsWith(known, StringComparison.Ordinal))) continue;
            Assert.That(line, Does.StartWith("decant ").Or.StartWith("decantd "), "this test cannot run it: let it, or say in RunElsewhere who does");
            await RunAsync(fleet, shell, line, cancellation);
            run++;
        }

        Assert.That(run, Is.GreaterThan(20), "commands of decant and decantd in the README");
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task The_python_client_asks_and_drains(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(2, cancellation);
        await fleet.DeployedAsync("1.4.1", cancellation);
        var script = Path.Combine(fleet.Directory, "client.py");
        var program = OwnNames(Blocks("python").Single(), fleet)
            .Replace("127.0.0.1:7421", $"127.0.0.1:{fleet.Hosts[0].AgentPort}", StringComparison.Ordinal)
            .Replace("127.0.0.1:7423", $"127.0.0.1:{fleet.BalancerHost.AgentPort}", StringComparison.Ordinal);
        var stubs = await PythonStubs.GenerateAsync(fleet.Directory, cancellation);
        // Debian ships google.protobuf as a package of its own; google.rpc is among the stubs.
        await File.WriteAllTextAsync(
            script, $"import sys\nsys.path.insert(0, '{stubs}')\nimport google\ngoogle.__path__ = [*google.__path__, '{stubs}/google']\n{program}", cancellation);

        var result = await CommandResult.RunAsync("/usr/bin/python3", [script], cancellation);

        Assert.That(result.ExitCode, Is.Zero, result.Everything);
        Assert.That(result.Output, Does.StartWith("web1 main 1.4.1\n").And.Contain("drain").And.EndWith("finished\n"), result.Everything);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task The_manifest_that_it_shows_is_valid(CancellationToken cancellation)
    {
        var directory = Directory.CreateTempSubdirectory("decant-readme-").FullName;
        await File.WriteAllTextAsync(Path.Combine(directory, "decant.yml"), Blocks("yaml").First(b => b.Contains("app: shop", StringComparison.Ordinal)), cancellation);

        var status = await CommandResult.RunAsync(Programs.Decant, ["hosts", "--manifest", Path.Combine(directory, "decant.yml")], cancellation);
        Directory.Delete(directory, recursive: true);

        // Nobody answers at its addresses: that is as far as a valid manifest gets.
        Assert.That(status.Errors, Does.Not.Contain("decant.yml"), status.Everything);
        Assert.That(status.ExitCode, Is.EqualTo(5), status.Everything);
    }

    [Test]
    public void The_manifest_reference_has_the_keys_and_defaults_of_the_schema()
    {
        using var schema = JsonDocument.Parse(File.ReadAllText(Path.Combine(Programs.Repository, "controller", "Manifest", "decant.schema.json")));
        var known = SchemaKeys.Of(schema.RootElement).ToDictionary(k => k.Path, k => k.Default);

        var rows = Table("key").ToDictionary(row => row[0].Trim('`'), row => row[1]);

        Assert.Multiple(() =>
        {
            Assert.That(rows.Keys, Is.EquivalentTo(known.Keys));
            foreach (var (key, value) in known.Where(k => rows.ContainsKey(k.Key)))
            {
                // A host's settings are those of `slot` where it has none of its own.
                if (key.StartsWith("hosts.*.", StringComparison.Ordinal) && rows[key].StartsWith("as slot", StringComparison.Ordinal)) continue;
                if (value is null) Assert.That(rows[key], Does.Not.Contain("`"), $"{key} has no default in the schema");
                else Assert.That(rows[key], Is.EqualTo($"`{value}`"), $"{key} has another default");
            }
        });
    }

    [Test]
    public void The_agents_configuration_is_the_packaged_example()
    {
        var example = File.ReadAllText(Path.Combine(Programs.Repository, "packaging", "examples", "agent.yml"));

        Assert.That(Blocks("yaml"), Has.Some.EqualTo(example));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task The_exit_codes_are_those_of_the_help(CancellationToken cancellation)
    {
        var help = CommandHelp.Section(await CommandHelp.OfAsync("", cancellation), "Exit codes")
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Trim().Split("  ", 2).Select(part => part.Trim()).ToArray());

        Assert.That(Table("code"), Is.EqualTo(help));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task The_table_of_commands_has_every_command(CancellationToken cancellation)
    {
        var commands = await CommandHelp.CommandsAsync(cancellation);

        Assert.That(Table("command").SelectMany(row => row[0].Split(", ")).Select(c => c.Trim('`')), Is.EquivalentTo(commands));
    }

    [Test]
    public void Its_links_into_the_repository_and_its_paths_exist()
    {
        var paths = PathInText().Matches(Text).Select(m => m.Groups[1].Value).Distinct().ToList();

        Assert.That(paths, Has.Count.GreaterThan(5));
        Assert.That(paths.Where(p => !File.Exists(Path.Combine(Programs.Repository, p)) && !Directory.Exists(Path.Combine(Programs.Repository, p))), Is.Empty);
    }

    private static async Task RunAsync(TestFleet fleet, Shell shell, string line, CancellationToken cancellation)
    {
        var own = OwnNames(line, fleet);
        if (line.StartsWith("decant init", StringComparison.Ordinal))
        {
            var result = await shell.RunAsync(own, cancellation, Directory.CreateDirectory(Path.Combine(fleet.Directory, "init")).FullName);
            Assert.That(result.ExitCode, Is.Zero, $"{line}\n{result.Everything}");
        }
        else if (line.StartsWith("decant resume", StringComparison.Ordinal))
        {
            var id = await StoppedDeploymentAsync(fleet, shell, cancellation);
            var result = await shell.RunAsync($"decant resume {id}", cancellation);
            Assert.That(result.ExitCode, Is.Zero, $"{line}\n{result.Everything}");
            // The README goes back or on; here it is both, so there has to be something to go back from.
            await DeployAsync(shell, "1.4.2", cancellation);
        }
        else if (line.StartsWith("decant promote", StringComparison.Ordinal) || line.StartsWith("decant abort", StringComparison.Ordinal))
        {
            var id = await AwaitingPromotionAsync(fleet, shell, line.StartsWith("decant promote", StringComparison.Ordinal) ? "1.4.1" : "1.4.2", cancellation);
            var result = await shell.RunAsync($"{line[..line.LastIndexOf(' ')]} {id}", cancellation);
            Assert.That(result.ExitCode, Is.Zero, $"{line}\n{result.Everything}");
            Assert.That(await fleet.VersionsAsync(cancellation), Is.All.EqualTo("1.4.1"), line);
        }
        else if (line.Contains(" -f", StringComparison.Ordinal))
        {
            await using var follow = shell.Start(own);
            await Eventually.TrueAsync(() => Task.FromResult(follow.Output.Length > 0), line, cancellation);
            await follow.SignalAsync("INT");
            Assert.That(await follow.WaitForExitAsync(cancellation), Is.Zero, $"{line}\n{follow.Output}");
        }
        else
        {
            if (line.StartsWith("decant rollback --", StringComparison.Ordinal)) await DeployAsync(shell, "1.4.2", cancellation);
            var result = await shell.RunAsync(own, cancellation);
            Assert.That(result.ExitCode, Is.Zero, $"{line}\n{result.Everything}\n{fleet.AgentLogs()}");
        }
    }

    private static async Task DeployAsync(Shell shell, string version, CancellationToken cancellation)
    {
        var result = await shell.RunAsync($"decant deploy demo-{version}.tar.gz", cancellation);
        Assert.That(result.ExitCode, Is.Zero, result.Everything);
    }

    /// <summary>Stops a deployment by Ctrl-C as soon as its first step runs, and returns its id.</summary>
    private static async Task<string> StoppedDeploymentAsync(TestFleet fleet, Shell shell, CancellationToken cancellation)
    {
        await using var deploy = shell.Start("decant rollback --to 1.4.1 --json");
        var line = await deploy.WaitForLineAsync("\"event\":\"step_started\"", cancellation);
        await deploy.SignalAsync("INT");
        Assert.That(await deploy.WaitForExitAsync(cancellation), Is.EqualTo(130), $"{deploy.Output}\n{fleet.AgentLogs()}");
        return JsonDocument.Parse(line).RootElement.GetProperty("deployment").GetString()!;
    }

    /// <summary>Deploys to one canary and waits until it has proved itself; returns the deployment's id.</summary>
    private static async Task<string> AwaitingPromotionAsync(TestFleet fleet, Shell shell, string version, CancellationToken cancellation)
    {
        fleet.WriteManifest("type: canary\ncanary: { bake: 1s, promote: manual }");
        var result = await shell.RunAsync($"decant deploy demo-{version}.tar.gz --json", cancellation);
        fleet.WriteManifest();
        Assert.That(result.ExitCode, Is.EqualTo(7), result.Everything);
        return JsonDocument.Parse(result.Output.Split('\n')[0]).RootElement.GetProperty("deployment").GetString()!;
    }

    /// <summary>The README's names become those of the test's fleet.</summary>
    private static string OwnNames(string text, TestFleet fleet) => text
        .Replace("shop", "demo", StringComparison.Ordinal)
        .Replace("/etc/decant/agent.yml", Path.Combine(fleet.Hosts[0].Directory, "agent.yml"), StringComparison.Ordinal);

    private static IEnumerable<string> CommandLines() => Blocks("sh")
        .SelectMany(block => block.Split('\n'))
        .Select(line => Regex.Replace(line, @"\s+# .*$", "").Trim())
        .Where(line => line.Length > 0 && line[0] != '#');

    private static IEnumerable<string> Blocks(string language)
        => Regex.Matches(Text, $@"^```{language}\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline).Select(m => m.Groups[1].Value);

    /// <summary>The rows of the table whose first column has this title.</summary>
    private static IEnumerable<string[]> Table(string firstColumn)
        => Text.Split('\n').SkipWhile(l => !l.StartsWith($"| {firstColumn} |", StringComparison.Ordinal)).Skip(2).TakeWhile(l => l.StartsWith('|'))
            .Select(row => row.Trim('|').Split(" | ").Select(cell => cell.Trim()).ToArray());

    [GeneratedRegex(@"(?<![\w/.])((?:packaging|tests|protos|controller|agent)/[A-Za-z0-9_./-]*[A-Za-z0-9_])")]
    private static partial Regex PathInText();
}
