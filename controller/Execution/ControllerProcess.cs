namespace Decant.Controller.Execution;

/// <summary>The process that runs a deployment, known by pid and start time: a pid alone may be somebody else's by now.</summary>
/// <param name="Pid">Process id.</param>
/// <param name="StartTicks">Start time in clock ticks since boot: field 22 of <c>/proc/&lt;pid&gt;/stat</c>, proc(5).</param>
/// <param name="User">Who started it.</param>
internal sealed record ControllerProcess(int Pid, long StartTicks, string User)
{
    /// <summary>This process.</summary>
    public static ControllerProcess Current()
        => new(Environment.ProcessId, StartTicksOf(Environment.ProcessId) ?? 0, Environment.UserName);

    /// <summary>It still runs.</summary>
    public bool IsAlive => StartTicksOf(Pid) == StartTicks;

    private static long? StartTicksOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            // The second field, the command in parentheses, may have spaces and parentheses itself: count from its end.
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : long.Parse(fields[19], System.Globalization.CultureInfo.InvariantCulture);
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
}
