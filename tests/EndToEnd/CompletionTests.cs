using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>What bash, zsh and fish offer after the tab key, with the completions that are packaged.</summary>
[TestFixture("bash")]
[TestFixture("zsh")]
[TestFixture("fish")]
public class CompletionTests(string shell)
{
    private string directory = null!;

    [OneTimeSetUp]
    public async Task WriteManifestAsync()
    {
        directory = Directory.CreateTempSubdirectory("decant-completion-").FullName;
        await File.WriteAllTextAsync(Path.Combine(directory, "decant.yml"), "app: shop\nhosts: { web1: {}, web2: {}, db1: {} }\n");
        await File.WriteAllTextAsync(Path.Combine(directory, "shop-1.0.0.tar.gz"), "");
    }

    [OneTimeTearDown]
    public void Remove() => Directory.Delete(directory, recursive: true);

    [TestCase("decant de", "deploy")]
    [TestCase("decant st", "status")]
    [TestCase("decant deploy shop.tar.gz --ag", "--again")]
    [TestCase("decant drain w", "web1 web2")]
    [TestCase("decant logs ", "db1 web1 web2")]
    [TestCase("decant rpc -m none.yml ", "")]
    [TestCase("decant show ", "")]
    [CancelAfter(60_000)]
    public async Task The_shell_offers(string line, string expected, CancellationToken cancellation)
        => Assert.That((await OffersAsync(line, cancellation)).Where(o => !Path.Exists(Path.Combine(directory, o))).Order(), Is.EqualTo(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries)));

    [Test]
    [CancelAfter(60_000)]
    public async Task Every_command_is_offered_first_and_a_file_where_an_archive_belongs(CancellationToken cancellation)
    {
        Assert.That(await OffersAsync("decant ", cancellation), Is.EquivalentTo((await CommandHelp.CommandsAsync(cancellation)).Select(c => c.Split(' ')[0]).Distinct()));
        Assert.That(await OffersAsync("decant deploy sho", cancellation), Is.EqualTo((string[])["shop-1.0.0.tar.gz"]));
    }

    private async Task<IReadOnlyList<string>> OffersAsync(string line, CancellationToken cancellation)
    {
        var script = Path.Combine(Programs.Repository, "packaging", "completions", shell switch { "bash" => "decant.bash", "zsh" => "_decant", _ => "decant.fish" });
        var words = line.Split(' ');
        var asked = shell switch
        {
            // As readline calls it; `-o default` is readline's own, so the files are what it would list.
            "bash" => $"""
                source {script}; COMP_LINE='{line}'; COMP_POINT={line.Length}; COMP_WORDS=({string.Join(' ', words.Select(w => $"'{w}'"))}); COMP_CWORD={words.Length - 1}
                _decant; [ "$(complete -p decant)" = "complete -o default -F _decant decant" ] || exit 1
                [ "$COMPREPLY" ] && printf '%s\n' "${"{COMPREPLY[@]}"}" || compgen -f '{words[^1]}'
                """,
            // As compinit's dispatcher calls it, with compadd and _files that print.
            "zsh" => $"""
                compadd() {"{ print -l -- ${(P)2} }"}; _files() {"{ print -l -- $PREFIX*(N) }"}
                fpath=({Path.GetDirectoryName(script)}); autoload -U _decant
                words=({string.Join(' ', words.Select(w => $"'{w}'"))}); CURRENT={words.Length}; PREFIX='{words[^1]}'
                _decant
                """,
            _ => $"source {script}; complete --do-complete '{line}'",
        };
        var result = await CommandResult.RunAsync(
            $"/usr/bin/{shell}",
            shell switch { "bash" => ["--norc", "-c", asked], "zsh" => ["-f", "-c", asked], _ => ["--no-config", "-c", asked] },
            cancellation,
            new Dictionary<string, string>
            {
                ["PATH"] = $"{Path.GetDirectoryName(Programs.Decant)}:/usr/bin:/bin",
                ["DECANT_STATE_DIR"] = Path.Combine(directory, "state"),
                ["HOME"] = directory,
                ["LC_ALL"] = "C.UTF-8",
            },
            directory);
        Assert.That(result.ExitCode, Is.AnyOf(0, 1), result.Everything);
        return [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(o => o.Split('\t')[0])];
    }
}
