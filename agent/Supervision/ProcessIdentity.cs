using System.Globalization;
using Decant.Processes;

namespace Decant.Agent.Supervision;

/// <summary>
/// A process, told from a later one with the same pid by its start time and by the boot it belongs to.
/// </summary>
/// <param name="Pid">Process id.</param>
/// <param name="StartTicks">Start time in clock ticks since boot: field 22 of /proc/pid/stat (proc(5)).</param>
/// <param name="BootId">/proc/sys/kernel/random/boot_id.</param>
internal sealed record ProcessIdentity(int Pid, long StartTicks, string BootId)
{
    // sysconf(_SC_CLK_TCK): USER_HZ, which is 100 on every architecture that .NET runs on.
    private const double TicksPerSecond = 100;

    /// <summary>The boot that this is.</summary>
    public static string ThisBoot { get; } = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    /// <summary>The process that has this pid now; null when none has, or it is a zombie.</summary>
    public static ProcessIdentity? Of(int pid)
        => ProcessStat.Of(pid) is { } stat ? new ProcessIdentity(pid, stat.StartTicks, ThisBoot) : null;

    /// <summary>It runs now.</summary>
    public bool IsAlive => BootId == ThisBoot && Of(Pid) == this;

    /// <summary>How long ago it was started, by the kernel's clock since boot (proc(5), /proc/uptime and starttime of /proc/pid/stat).</summary>
    public TimeSpan Age
    {
        get
        {
            var uptime = double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture);
            return TimeSpan.FromSeconds(Math.Max(0, uptime - (StartTicks / TicksPerSecond)));
        }
    }

    /// <summary>Resident memory in bytes; 0 when it is gone.</summary>
    public long ResidentBytes => (ProcessStat.Of(Pid)?.ResidentPages ?? 0) * Environment.SystemPageSize;
}
