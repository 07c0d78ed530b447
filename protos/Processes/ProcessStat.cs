using System.Globalization;

namespace Decant.Processes;

/// <summary>What the kernel says of a process: /proc/pid/stat, proc(5).</summary>
/// <param name="Session">Its session: field 6.</param>
/// <param name="StartTicks">When it started, in clock ticks since boot: field 22. With the pid it tells one process from a later one.</param>
/// <param name="ResidentPages">Resident memory in pages: field 24.</param>
public sealed record ProcessStat(int Session, long StartTicks, long ResidentPages)
{
    /// <summary>The process that has this pid now; null when none has, or what has it is dead and only waits to be reaped.</summary>
    public static ProcessStat? Of(int pid)
    {
        try
        {
            return Parse(File.ReadAllText($"/proc/{pid}/stat"));
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }

    // The second field, the command in parentheses, may have spaces and parentheses itself: count from its end, from field 3 on.
    private static ProcessStat? Parse(string stat)
    {
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return fields[0] is "Z" or "X"
            ? null
            : new ProcessStat(int.Parse(fields[3], CultureInfo.InvariantCulture), Number(fields[19]), Number(fields[21]));
    }

    private static long Number(string field) => long.Parse(field, CultureInfo.InvariantCulture);
}
