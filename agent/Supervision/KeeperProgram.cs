using Decant.Agent.Instances;

namespace Decant.Agent.Supervision;

/// <summary>How a keeper is started.</summary>
/// <param name="File">The program.</param>
/// <param name="Arguments">Before those of the keeper mode.</param>
internal sealed record KeeperProgram(string File, IReadOnlyList<string> Arguments)
{
    /// <summary>This very program; when it runs by <c>dotnet decantd.dll</c>, so does the keeper.</summary>
    public static KeeperProgram OfThisProcess()
    {
        var program = Environment.ProcessPath ?? throw new InvalidOperationException("the path of this program is not known");
        return Path.GetFileName(program) == "dotnet"
            ? new KeeperProgram(program, [Path.Combine(AppContext.BaseDirectory, "decantd.dll")])
            : new KeeperProgram(program, []);
    }

    /// <summary>Its arguments for an instance.</summary>
    public IReadOnlyList<string> For(InstanceKey key, string directory) => [.. Arguments, InstanceKeeper.Mode, key.ToString(), directory];
}
