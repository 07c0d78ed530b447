using System.Text.RegularExpressions;

namespace Decant.EndToEnd.Harness;

/// <summary>What <c>decant --help</c> says that there is: the ground that manuals are compared with.</summary>
internal static partial class CommandHelp
{
    /// <summary>Every command's name; of one that has others below it, theirs: "ca init".</summary>
    public static async Task<IReadOnlyList<string>> CommandsAsync(CancellationToken cancellation)
    {
        var names = Names(await OfAsync("", cancellation), "");
        var below = await Task.WhenAll(names.Select(async name => Names(await OfAsync(name, cancellation), name)));
        return [.. names.Zip(below, (name, inner) => inner.Count > 0 ? inner : [name]).SelectMany(all => all)];
    }

    /// <summary>Every option of a command, by its long name.</summary>
    public static async Task<IReadOnlyList<string>> OptionsAsync(string command, CancellationToken cancellation)
        => [.. LongOption().Matches(Section(await OfAsync(command, cancellation), "Options")).Select(m => m.Groups[1].Value)];

    /// <summary>The help text of a command; of the whole for "".</summary>
    public static async Task<string> OfAsync(string command, CancellationToken cancellation)
    {
        var result = await CommandResult.RunAsync(Programs.Decant, [.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"], cancellation);
        return result.ExitCode == 0 ? result.Output : throw new TestException(result.Everything);
    }

    /// <summary>A part of a help text, by its title.</summary>
    public static string Section(string help, string title)
        => Regex.Match(help, $@"^{title}:\n((?:  .*\n)+)", RegexOptions.Multiline) is { Success: true } found
            ? found.Groups[1].Value
            : throw new TestException($"there is no \"{title}:\" in\n{help}");

    private static List<string> Names(string help, string above) => help.Contains("\nCommands:\n", StringComparison.Ordinal)
        ? [.. Rows(Section(help, "Commands")).Select(row => $"{above} {row.Split(' ')[0]}".Trim())]
        : [];

    private static IEnumerable<string> Rows(string section)
        => section.Split('\n').Where(line => line.StartsWith("  ", StringComparison.Ordinal) && line[2] != ' ').Select(line => line.Trim());

    [GeneratedRegex(@"^  (?:-\S+, )*(--[a-z-]+)", RegexOptions.Multiline)]
    private static partial Regex LongOption();
}
