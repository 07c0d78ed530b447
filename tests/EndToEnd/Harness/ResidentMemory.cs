using System.Globalization;

namespace Decant.EndToEnd.Harness;

/// <summary>The memory of a process that is in RAM: VmRSS of proc_pid_status(5).</summary>
internal static class ResidentMemory
{
    /// <summary>In bytes.</summary>
    public static long Of(int pid)
    {
        var line = File.ReadLines($"/proc/{pid}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }
}
