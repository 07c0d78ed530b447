using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Security;
using Decant.Controller.State;

namespace Decant.Controller.Commands;

/// <summary>What <c>--help</c> says beyond arguments and options: an example for each command; for the whole, exit codes and environment.</summary>
internal sealed class HelpText : SynchronousCommandLineAction
{
    private static readonly (string Left, string Right)[] Beginning =
    [
        ("decant init shop", "write decant.yml; fill in the hosts"),
        ("decant plan shop-1.0.0.tar.gz", "see what would happen"),
        ("decant deploy shop-1.0.0.tar.gz", "do it"),
    ];

    private static readonly (string Left, string Right)[] Variables =
    [
        (StateDirectory.Variable, "where deployments are journaled; otherwise $XDG_STATE_HOME/decant or ~/.local/state/decant"),
        (IdentityDirectory.Variable, "your certificate's directory; otherwise $XDG_CONFIG_HOME/decant or ~/.config/decant"),
        ("NO_COLOR", "no colours"),
    ];

    private readonly SynchronousCommandLineAction standard;

    private HelpText(SynchronousCommandLineAction standard) => this.standard = standard;

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <summary>Adds it to the help of every command.</summary>
    public static void AddTo(RootCommand root)
    {
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpText((SynchronousCommandLineAction)help.Action!);
    }

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        var exitCode = standard.Invoke(parseResult);
        var output = parseResult.InvocationConfiguration.Output;
        switch (parseResult.CommandResult.Command)
        {
            case OperatorCommand command:
                output.WriteLine($"Example:\n  {command.Example}\n");
                break;
            case RootCommand:
                Write(output, "To begin with", Beginning);
                Write(output, "Exit codes", Enum.GetValues<ExitCode>().Select(code => ($"{(int)code}", ExitCodeText.Of(code))));
                Write(output, "Environment", Variables);
                break;
        }

        return exitCode;
    }

    private static void Write(TextWriter output, string title, IEnumerable<(string Left, string Right)> rows)
    {
        var all = rows.ToList();
        var width = all.Max(r => r.Left.Length);
        output.WriteLine($"{title}:");
        foreach (var (left, right) in all) output.WriteLine($"  {left.PadRight(width)}  {right}");
        output.WriteLine();
    }
}
