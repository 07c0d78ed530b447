using Microsoft.Extensions.Hosting.Systemd;

namespace Decant.Agent.Hosting;

/// <summary>Whether a service manager watches over this process, and how it is told things (sd_notify(3)).</summary>
internal static class Systemd
{
    /// <summary>
    /// It is there: the unit is of <c>Type=notify</c>, so there is a NOTIFY_SOCKET. (What .NET asks, whether the parent is called
    /// "systemd", is not so in a container that passes the socket on.)
    /// </summary>
    public static bool IsThere { get; } = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"));

    /// <summary>READY=1 when the agent takes calls, STOPPING=1 when it ends, and WATCHDOG=1 while it answers.</summary>
    public static IServiceCollection AddSystemdNotifications(this IServiceCollection services) => !IsThere
        ? services
        : services
            .AddSingleton<ISystemdNotifier, SystemdNotifier>()
            .AddSingleton<IHostLifetime, SystemdLifetime>()
            .AddSingleton<SelfProbe>()
            .AddHostedService(provider => new SystemdWatchdog(
                provider.GetRequiredService<ISystemdNotifier>(),
                provider.GetRequiredService<SelfProbe>().CallAsync,
                provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILogger<SystemdWatchdog>>()));
}
