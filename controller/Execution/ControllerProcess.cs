using Decant.Processes;

namespace Decant.Controller.Execution;

/// <summary>The process that runs a deployment, known by pid and start time: a pid alone may be somebody else's by now.</summary>
/// <param name="Pid">Process id.</param>
/// <param name="StartTicks">Start time in clock ticks since boot: field 22 of <c>/proc/&lt;pid&gt;/stat</c>, proc(5).</param>
/// <param name="User">Who started it.</param>
/// <param name="Machine">On which machine; empty: on this one, before machines were written down.</param>
/// <param name="Space">Where its process id means this process (see <see cref="SpaceHere"/>); empty: here.</param>
internal sealed record ControllerProcess(int Pid, long StartTicks, string User, string Machine = "", string Space = "")
{
    /// <summary>
    /// Where a process id means one process: one boot of one kernel (random(4), boot_id), one namespace (pid_namespaces(7)). Empty where that
    /// cannot be read: then nobody is ever taken for dead.
    /// </summary>
    public static string SpaceHere()
    {
        try
        {
            return $"{File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim()}/{new FileInfo("/proc/self/ns/pid").LinkTarget}";
        }
        catch (IOException)
        {
            return "";
        }
        catch (UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>This process.</summary>
    public static ControllerProcess Current()
        => new(Environment.ProcessId, ProcessStat.Of(Environment.ProcessId)?.StartTicks ?? 0, Environment.UserName, Environment.MachineName, SpaceHere());

    /// <summary>It ran on this machine, in this boot: its process id can be looked at.</summary>
    public bool IsHere => Space.Length == 0 || Space == SpaceHere();

    /// <summary>It still runs. Of one on another machine that is not known, and the answer is no.</summary>
    public bool IsAlive => IsHere && ProcessStat.Of(Pid)?.StartTicks == StartTicks;

    /// <summary><c>ann on ops1</c>.</summary>
    public string Name => Machine.Length == 0 ? User : $"{User} on {Machine}";
}
