using System.Diagnostics;
using System.Text.Json;

namespace Decant.Agent.Supervision;

/// <summary>What the journal has of units besides their output: systemd's own words of them, in this boot.</summary>
internal static class UnitJournal
{
    private const string Program = "/usr/bin/journalctl";

    /// <summary>
    /// Whether the last job for a unit stopped it, and it ended neither by itself nor by a signal. _PID=1: what other processes claim does not
    /// count (systemd.journal-fields(7)).
    /// </summary>
    public static async Task<bool> WasStoppedByHandAsync(string unit)
    {
        IEnumerable<string> jobs = ["--output=json", "--output-fields=JOB_TYPE", "--lines=1", $"UNIT={unit}", "_PID=1", "JOB_TYPE=start", "JOB_TYPE=stop", "JOB_TYPE=restart"];
        if (await AskAsync(jobs) is not [.., var last]) return false;
        using var entry = JsonDocument.Parse(last);
        return entry.RootElement.TryGetProperty("JOB_TYPE", out var type) && type.GetString() == "stop";
    }

    /// <summary>The last lines of a unit and of systemd about it, as one text.</summary>
    public static async Task<string> LastWordsAsync(string unit)
        => string.Join('\n', await AskAsync(["--output=cat", "--lines=5", $"--unit={unit}"]));

    private static async Task<IReadOnlyList<string>> AskAsync(IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Program, ["--quiet", "--boot", .. arguments]) { RedirectStandardOutput = true, RedirectStandardInput = true };
        start.Environment.Clear();
        using var journal = Process.Start(start) ?? throw new IOException($"{Program} did not start");
        journal.StandardInput.Close();
        var output = await journal.StandardOutput.ReadToEndAsync();
        await journal.WaitForExitAsync();
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
