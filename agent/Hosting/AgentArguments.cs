using Decant.Agent.Configuration;
using Decant.Agent.Proxy;

namespace Decant.Agent.Hosting;

/// <summary>What decantd was asked to do on its command line.</summary>
internal abstract record AgentArguments
{
    /// <summary>The help text.</summary>
    public const string Usage = """
        decantd, the Decant agent: owns the releases and the release processes of this host.

        usage: decantd [--config FILE]                  run (FILE defaults to /etc/decant/agent.yml)
               decantd join [TOKEN] [--config FILE]     give the running agent a token of `decant host enroll`; without TOKEN it is read from standard input
               decantd proxy [--config FILE]            run the embedded proxy that the configuration describes
               decantd --check-config [--config FILE]   report every error in the configuration
               decantd --accept-rebuilt-state [--config FILE]   go on without a state that is damaged or lost; the agent must not run
               decantd --version | --help
        """;

    private AgentArguments()
    {
    }

    /// <summary>Reads the arguments.</summary>
    public static AgentArguments Parse(IReadOnlyList<string> arguments)
    {
        var file = AgentConfiguration.DefaultFile;
        var (checkOnly, accepts) = (false, false);
        var isProxy = arguments is [ProxyProgram.Mode, ..];
        var isJoin = arguments is [JoinProgram.Mode, ..];
        string? token = null;
        for (var i = isProxy || isJoin ? 1 : 0; i < arguments.Count; i++)
        {
            switch (arguments[i])
            {
                case "--config" when i + 1 < arguments.Count:
                    file = Path.GetFullPath(arguments[++i]);
                    break;
                case var argument when argument.StartsWith("--config=", StringComparison.Ordinal):
                    file = Path.GetFullPath(argument["--config=".Length..]);
                    break;
                case "--config":
                    return new Wrong("--config needs a file");
                case "--check-config":
                    checkOnly = true;
                    break;
                case "--accept-rebuilt-state":
                    accepts = true;
                    break;
                case "--version":
                    return new ShowVersion();
                case "--help" or "-h":
                    return new ShowHelp();
                case var word when isJoin && token is null && !word.StartsWith('-'):
                    token = word;
                    break;
                case var other:
                    return new Wrong($"unknown argument \"{other}\"");
            }
        }

        if (isJoin) return checkOnly || accepts ? new Wrong("join takes a token and --config only") : new Join(file, token);
        return checkOnly ? new CheckConfiguration(file) : accepts ? new AcceptRebuiltState(file) : isProxy ? new RunProxy(file) : new Run(file);
    }

    /// <summary>Run as the agent.</summary>
    public sealed record Run(string ConfigurationFile) : AgentArguments;

    /// <summary>Run as the embedded proxy.</summary>
    public sealed record RunProxy(string ConfigurationFile) : AgentArguments;

    /// <summary>Give the running agent a token; null: it comes from standard input.</summary>
    public sealed record Join(string ConfigurationFile, string? Token) : AgentArguments;

    /// <summary>Report what is wrong with the configuration.</summary>
    public sealed record CheckConfiguration(string ConfigurationFile) : AgentArguments;

    /// <summary>Take what can be rebuilt for the agent's state.</summary>
    public sealed record AcceptRebuiltState(string ConfigurationFile) : AgentArguments;

    /// <summary>Print the version.</summary>
    public sealed record ShowVersion : AgentArguments;

    /// <summary>Print the help.</summary>
    public sealed record ShowHelp : AgentArguments;

    /// <summary>They make no sense.</summary>
    public sealed record Wrong(string Reason) : AgentArguments;
}
