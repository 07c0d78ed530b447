using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;

namespace Decant.Agent.Hosting;

/// <summary>
/// Tells systemd that the agent is alive, at half of the interval that it asks for (sd_watchdog_enabled(3)), each time after the agent has
/// answered a call of its own in time. An agent that hangs is killed by systemd and started again; its releases go on. One whose disk fails
/// is not: that is no better after a restart, and its health service says it. Does nothing when the unit has no <c>WatchdogSec=</c>.
/// </summary>
/// <param name="notifier">Of systemd.</param>
/// <param name="probe">Returns when the agent has answered.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">The log.</param>
internal sealed partial class SystemdWatchdog(
    ISystemdNotifier notifier, Func<CancellationToken, Task> probe, TimeProvider time, ILogger<SystemdWatchdog> logger) : BackgroundService
{
    private static readonly ServiceState Alive = new("WATCHDOG=1");

    /// <summary>The interval that systemd asks this process for; null when it does not.</summary>
    public TimeSpan? Period { get; init; } = Interval(
        Environment.GetEnvironmentVariable("WATCHDOG_USEC"), Environment.GetEnvironmentVariable("WATCHDOG_PID"), Environment.ProcessId);

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
        if (Period is not { } period || !notifier.IsEnabled) return;
        using var timer = new PeriodicTimer(period / 2, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            using var limit = new CancellationTokenSource(period / 2, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stoppingToken);
            try
            {
                await probe(either.Token).WaitAsync(either.Token);
                notifier.Notify(Alive);
            }
#pragma warning disable CA1031 // Whatever it is, it must not end the watching: the next call may be answered.
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                LogNoAnswer(exception.Message, period.TotalSeconds);
            }
        }
    }

    [LoggerMessage(10, LogLevel.Error, "The agent did not answer itself ({Why}); systemd ends it when that lasts for {Seconds} s")]
    private partial void LogNoAnswer(string why, double seconds);
}
