using System.Text.Json;
using System.Text.RegularExpressions;
using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>The manual pages name every command, option and key that there is.</summary>
public partial class ManualPageTests
{
    [Test]
    [CancelAfter(120_000)]
    public async Task Decant_1_has_every_command_with_its_options(CancellationToken cancellation)
    {
        var page = Page("decant.1");
        var commands = await CommandHelp.CommandsAsync(cancellation);
        Assert.That(commands, Is.Not.Empty);

        foreach (var command in commands)
        {
            var entry = Regex.Match(page, $@"(?m)^\.TP\n{command}( .*)?\n");
            Assert.That(entry.Success, $"{command} has no entry");
            foreach (var option in (await CommandHelp.OptionsAsync(command, cancellation)).Except(await CommandHelp.OptionsAsync("", cancellation)))
                Assert.That(entry.Value, Does.Contain(option), command);
        }

        foreach (var option in await CommandHelp.OptionsAsync("", cancellation)) Assert.That(page, Does.Match($@"(?m)^\.TP\n.*{option}\b"), option);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Decant_1_has_the_exit_codes_of_the_help(CancellationToken cancellation)
    {
        var codes = CommandHelp.Section(await CommandHelp.OfAsync("", cancellation), "Exit codes").Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Multiple(() =>
        {
            foreach (var code in codes.Select(line => line.Trim().Split("  ", 2)))
                Assert.That(Page("decant.1"), Does.Contain($".TP\n{code[0]}\n{code[1].Trim().Replace("`", "", StringComparison.Ordinal)}\n"));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Decantd_8_has_every_option(CancellationToken cancellation)
    {
        var help = await CommandResult.RunAsync(Programs.Decantd, ["--help"], cancellation);
        var options = Option().Matches(help.Output).Select(m => m.Value).Distinct().ToList();

        Assert.That(options, Is.Not.Empty);
        Assert.That(options.Where(option => !Page("decantd.8").Contains(option, StringComparison.Ordinal)), Is.Empty);
    }

    [Test]
    public void Decant_yml_5_has_every_key_of_the_schema()
    {
        using var schema = JsonDocument.Parse(File.ReadAllText(Path.Combine(Programs.Repository, "controller", "Manifest", "decant.schema.json")));
        var keys = SchemaKeys.Of(schema.RootElement).Select(k => k.Path);

        Assert.That(Terms("decant.yml.5"), Is.EquivalentTo(keys));
    }

    [Test]
    public void Agent_yml_5_has_every_key_of_the_packaged_example()
    {
        var example = File.ReadAllText(Path.Combine(Programs.Repository, "packaging", "examples", "agent.yml"));
        // Comments may show keys that have no default; their prose has no colon after a word that begins the line or a brace.
        var keys = Key().Matches(Comment().Replace(example, "")).Select(m => m.Groups[1].Value).Where(key => key is not ("edge" or "shop")).ToList();

        Assert.That(keys, Has.Count.GreaterThan(20));
        Assert.That(keys.Except(Terms("agent.yml.5").SelectMany(term => term.Split('.'))), Is.Empty);
    }

    private static IEnumerable<string> Terms(string page) => Term().Matches(Page(page)).Select(m => m.Groups[1].Value);

    /// <summary>A page without the escapes of roff.</summary>
    private static string Page(string name)
        => Regex.Replace(File.ReadAllText(Path.Combine(Programs.Repository, "packaging", "man", name)).Replace("\\-", "-", StringComparison.Ordinal), @"\\f[BIRP]", "");

    [GeneratedRegex("--[a-z-]+")]
    private static partial Regex Option();

    [GeneratedRegex(@"(?m)^\.TP\n([a-z_.*]+) \(")]
    private static partial Regex Term();

    [GeneratedRegex(@"(?m)#.*$")]
    private static partial Regex Comment();

    [GeneratedRegex(@"(?m)(?:^\s*|[{,]\s*)([a-z_]+):")]
    private static partial Regex Key();
}
