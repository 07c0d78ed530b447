using System.Globalization;
using Decant.Agent.Elixir;

namespace Decant.Agent.Instances;

/// <summary>Keeps the crash dumps that a slot's VMs leave, a few of them: one can be as large as the VM's memory.</summary>
internal sealed class CrashDumps(AppDirectories directories)
{
    private const int Kept = 2;

    /// <summary>Puts aside the dump that a VM has just left.</summary>
    /// <returns>Where it is now; null when it left none.</returns>
    public string? Collect(InstanceKey key, DateTimeOffset at)
    {
        var directory = directories.Crash(key);
        var fresh = Path.Combine(directory, "erl_crash.dump");
        if (!File.Exists(fresh)) return null;
        var kept = Path.Combine(directory, $"erl_crash-{at.UtcDateTime.ToString("yyyyMMddTHHmmssfff", CultureInfo.InvariantCulture)}.dump");
        File.Move(fresh, kept, overwrite: true);
        foreach (var old in Directory.EnumerateFiles(directory, "erl_crash-*.dump").Order(StringComparer.Ordinal).SkipLast(Kept)) File.Delete(old);
        return kept;
    }
}
