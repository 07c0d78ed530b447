using System.CommandLine;

namespace Decant.Controller.Commands;

/// <summary>Options that every command has.</summary>
internal static class CommonOptions
{
    /// <summary>The manifest.</summary>
    public static Option<string> Manifest { get; } = new("--manifest", "-m")
    {
        Description = "The app's manifest",
        DefaultValueFactory = _ => "decant.yml",
        HelpName = "FILE",
        Recursive = true,
    };

    /// <summary>Who the operator is to the agents.</summary>
    public static Option<string?> Identity { get; } = new("--identity")
    {
        Description = "Directory of your certificate (ca.pem, operator.pem, operator.key)",
        HelpName = "DIRECTORY",
        Recursive = true,
    };

    /// <summary>Output for machines.</summary>
    public static Option<bool> Json { get; } = new("--json")
    {
        Description = "One JSON object a line on standard output, for machines",
        Recursive = true,
    };
}
