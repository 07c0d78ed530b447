using System.Globalization;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;
using Decant.Processes;

namespace Decant.Controller.Execution;

/// <summary>Which leases a change of an app needs, and who this process is to others.</summary>
internal static class LeaseHolding
{
    /// <summary>All agents that a change of these hosts may have to do with, those of its balancers included.</summary>
    public static IEnumerable<AgentAddress> AgentsOf(DeploymentManifest manifest, IEnumerable<ManifestHost> hosts)
        => hosts.SelectMany(host => manifest.Balancers.Select(b => b.AgentOf(host)).Prepend(host.Agent)).Distinct();

    /// <summary>A lease for this process.</summary>
    public static WantedLease Wanted(AppName app, string purpose, DeploymentId? deployment, string step, LeaseTimings timings)
        => new(app, $"{Guid.NewGuid()}", ThisProcess(), purpose, deployment, timings.Duration, step);

    /// <summary>This process, as others see it.</summary>
    public static LeaseProcess ThisProcess()
    {
        var me = ControllerProcess.Current();
        return new LeaseProcess(me.User, me.Machine, me.Pid, $"{me.Space}/{me.StartTicks}");
    }

    /// <summary>
    /// A holder of this machine's own process ids whose process is gone. Of others nothing is known; nor of other users' processes, which
    /// proc(5) may hide.
    /// </summary>
    public static bool IsDead(LeaseProcess holder)
    {
        var space = ControllerProcess.SpaceHere();
        return space.Length > 0
            && holder.User == Environment.UserName
            && holder.Process.StartsWith($"{space}/", StringComparison.Ordinal)
            && long.TryParse(holder.Process[(space.Length + 1)..], CultureInfo.InvariantCulture, out var startTicks)
            && ProcessStat.Of(holder.Pid)?.StartTicks != startTicks;
    }
}
