namespace Decant.EndToEnd.Harness;

/// <summary>A shell as an operator has it: <c>decant</c> and <c>decantd</c> on the PATH, the fleet's directory, its journal.</summary>
internal sealed class Shell(TestFleet fleet)
{
    private readonly Dictionary<string, string> environment = new()
    {
        ["PATH"] = $"{Path.GetDirectoryName(Programs.Decant)}:{Path.GetDirectoryName(Programs.Decantd)}:{Environment.GetEnvironmentVariable("PATH")}",
        ["DECANT_STATE_DIR"] = Path.Combine(fleet.Directory, "controller"),
        ["NO_COLOR"] = "1",
    };

    /// <summary>Runs a line to its end.</summary>
    public Task<CommandResult> RunAsync(string line, CancellationToken cancellation, string? directory = null)
        => CommandResult.RunAsync("/bin/bash", ["-c", line], cancellation, environment, directory ?? fleet.Directory);

    /// <summary>Runs a line in a pseudo-terminal of 160 columns; its output has the terminal's control sequences.</summary>
    public Task<CommandResult> RunInTerminalAsync(string line, CancellationToken cancellation, string variables = "")
        => RunAsync($"unset NO_COLOR; export TERM=xterm {variables}; script -qec 'stty cols 160 rows 50; {line}' /dev/null", cancellation);

    /// <summary>Starts a line that is one command; signals reach the command itself.</summary>
    public RunningProgram Start(string line)
        => RunningProgram.Start("/bin/bash", ["-c", $"cd '{fleet.Directory}' && exec {line}"], environment);
}
