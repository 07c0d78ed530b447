using System.Globalization;

namespace Decant.Agent.Supervision;

/// <summary>
/// A process, told from a later one with the same pid by its start time and by the boot it belongs to.
/// </summary>
/// <param name="Pid">Process id.</param>
/// <param name="StartTicks">Start time in clock ticks since boot: field 22 of /proc/pid/stat (proc(5)).</param>
/// <param name="BootId">/proc/sys/kernel/random/boot_id.</param>
internal sealed record ProcessIdentity(int Pid, long StartTicks, string BootId)
{
    /// <summary>The boot that this is.</summary>
    public static string ThisBoot { get; } = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    /// <summary>The process that has this pid now; null when none has, or it is a zombie.</summary>
    public static ProcessIdentity? Of(int pid)
        => Stat(pid) is { } fields && fields[0] is not ("Z" or "X")
            ? new ProcessIdentity(pid, long.Parse(fields[19], CultureInfo.InvariantCulture), ThisBoot)
            : null;

    /// <summary>It runs now.</summary>
    public bool IsAlive => BootId == ThisBoot && Of(Pid) == this;

    /// <summary>Resident memory in bytes; 0 when it is gone.</summary>
    public long ResidentBytes => Stat(Pid) is { } fields
        ? long.Parse(fields[21], CultureInfo.InvariantCulture) * Environment.SystemPageSize
        : 0;

    /// <summary>Fields of /proc/pid/stat from the third, the state, on. The second, the command, may have spaces and parentheses itself.</summary>
    private static string[]? Stat(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
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
