namespace Decant.EndToEnd.Harness;

/// <summary>Where a program of a test runs: in a network namespace, and at which address others reach it.</summary>
/// <param name="Space">The namespace; null: the tests' own.</param>
/// <param name="Address">Where its agent listens.</param>
/// <param name="Members">Where balancers reach its releases.</param>
internal sealed record Place(string? Space, string Address, string Members)
{
    /// <summary>Beside the tests.</summary>
    public static Place Here { get; } = new(null, "127.0.0.1", "127.0.0.1");

    /// <summary>A command line that runs a program there, as the same process.</summary>
    public (string Program, IReadOnlyList<string> Arguments) Run(string program, IReadOnlyList<string> arguments)
        => Space is null ? (program, arguments) : ("/usr/bin/nsenter", [$"--net=/run/netns/{Space}", program, .. arguments]);
}
