using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;

namespace Decant.Agent.Hosting;

/// <summary>
/// Tells systemd that the agent is alive, at half of the interval that it asks for (sd_watchdog_enabled(3)). Does nothing when the unit
/// has no <c>WatchdogSec=</c>.
/// </summary>
internal sealed class SystemdWatchdog(ISystemdNotifier notifier, TimeProvider time) : BackgroundService
{
    private static readonly ServiceState Alive = new("WATCHDOG=1");

    /// <summary>The interval that systemd asks this process for; null when it does not.</summary>
    /// <param name="usec">Value of WATCHDOG_USEC: microseconds.</param>
    /// <param name="pid">Value of WATCHDOG_PID: the process it is meant for; empty: any.</param>
    /// <param name="ownPid">This process.</param>
    public static TimeSpan? Interval(string? usec, string? pid, int ownPid)
    {
        if (!long.TryParse(usec, NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds) || microseconds <= 0) return null;
        if (!string.IsNullOrEmpty(pid) && pid != ownPid.ToString(CultureInfo.InvariantCulture)) return null;
        return TimeSpan.FromMicroseconds(microseconds);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var interval = Interval(
            Environment.GetEnvironmentVariable("WATCHDOG_USEC"), Environment.GetEnvironmentVariable("WATCHDOG_PID"), Environment.ProcessId);
        if (interval is null || !notifier.IsEnabled) return;

        using var timer = new PeriodicTimer(interval.Value / 2, time);
        while (await timer.WaitForNextTickAsync(stoppingToken)) notifier.Notify(Alive);
    }
}
