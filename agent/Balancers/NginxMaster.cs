using System.Globalization;
using Decant.Agent.Configuration;
using Decant.Agent.Supervision;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>The nginx that serves: its master process, found by its pid file, and that one's workers.</summary>
internal sealed class NginxMaster
{
    private const int Sighup = 1;

    /// <summary>How long a master may be without workers: it has just started, and they have.</summary>
    private static readonly TimeSpan Starting = TimeSpan.FromSeconds(1);

    private readonly BalancerName balancer;
    private readonly BalancerSettings.Nginx settings;

    private NginxMaster(BalancerName balancer, BalancerSettings.Nginx settings, ProcessIdentity identity)
        => (this.balancer, this.settings, Identity) = (balancer, settings, identity);

    /// <summary>The master process.</summary>
    public ProcessIdentity Identity { get; }

    /// <summary>Finds it.</summary>
    /// <exception cref="Errors.OperatorException">BALANCER_UNREACHABLE: it does not run, or has no workers.</exception>
    public static async Task<NginxMaster> FindAsync(
        BalancerName balancer, BalancerSettings.Nginx settings, TimeProvider time, CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        while (true)
        {
            if (TryFind(settings.PidFile, out var why) is not { } identity)
                throw BalancerErrors.Unreachable(balancer, why, "start nginx, or correct pid in agent.yml (nginx's own `pid` directive)");
            var master = new NginxMaster(balancer, settings, identity);
            if (master.Workers().Any(w => !w.IsLeaving)) return master;
            if (time.GetElapsedTime(begun) >= Starting)
                throw BalancerErrors.Unreachable(balancer, $"nginx (pid {identity.Pid}) has no workers that take requests", "look into nginx's error log, and start it");
            await Task.Delay(TimeSpan.FromMilliseconds(10), time, cancellation);
        }
    }

    /// <summary>Its workers now.</summary>
    public IReadOnlyList<NginxWorker> Workers()
    {
        var workers = new List<NginxWorker>();
        foreach (var pid in Children(Identity.Pid))
        {
            var title = Title(pid);
            if (title.StartsWith("nginx: worker process", StringComparison.Ordinal) && ProcessIdentity.Of(pid) is { } identity)
                workers.Add(new NginxWorker(identity, IsLeaving: title.Contains("shutting down", StringComparison.Ordinal)));
        }

        return workers;
    }

    /// <summary>A graceful reload; returns when new workers take the requests and all before are on their way out (or gone).</summary>
    /// <exception cref="Errors.OperatorException">BALANCER_REFUSED: that has not come about. BALANCER_UNREACHABLE.</exception>
    public async Task ReloadAsync(TableTimings timings, TimeProvider time)
    {
        if (TryFind(settings.PidFile + ".oldbin", out _) is { } old)
        {
            throw BalancerErrors.ConfigurationRefused(
                balancer, "nginx is not reloaded", $"its program is being upgraded, and the old master (pid {old.Pid}) with its workers would go on as before",
                "nothing was changed", $"end the upgrade (kill -QUIT {old.Pid}), or call it off");
        }

        var before = Workers().Select(w => w.Identity).ToHashSet();
        using (var handle = PidFd.TryOpen(Identity)) handle?.Signal(Sighup);
        var begun = time.GetTimestamp();
        while (true)
        {
            var now = Workers();
            var fresh = now.Any(w => !w.IsLeaving && !before.Contains(w.Identity));
            var deaf = now.Where(w => !w.IsLeaving && before.Contains(w.Identity)).ToList();
            if (fresh && deaf.Count == 0) return;
            if (!Identity.IsAlive) throw BalancerErrors.Unreachable(balancer, $"nginx (pid {Identity.Pid}) has ended while it was reloaded", "start nginx");
            if (time.GetElapsedTime(begun) >= timings.Reload)
            {
                throw BalancerErrors.ConfigurationRefused(
                    balancer, "nginx was told to reload and has not", fresh ? $"old worker {deaf[0].Identity.Pid} still takes requests" : "no new workers were started",
                    "it serves as before", "look into nginx's error log: it says why (an address that it cannot listen on, mostly)");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), time);
        }
    }

    private static ProcessIdentity? TryFind(string file, out string why)
    {
        try
        {
            var text = File.ReadAllText(file).Trim();
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var pid)) why = $"{file} does not have a process id";
            else if (ProcessIdentity.Of(pid) is not { } identity) why = $"{file} has pid {pid}, which does not run";
            else if (!Title(pid).StartsWith("nginx: master process", StringComparison.Ordinal)) why = $"pid {pid} in {file} is not an nginx master";
            else
            {
                why = "";
                return identity;
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            why = $"nginx does not run: {exception.Message}";
        }

        return null;
    }

    private static IEnumerable<int> Children(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/task/{pid}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(p => int.Parse(p, CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static string Title(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline");
        }
        catch (IOException)
        {
            return "";
        }
    }
}

/// <summary>A worker process of nginx.</summary>
/// <param name="Identity">The process.</param>
/// <param name="IsLeaving">It takes no new connections and ends when those that it has are done.</param>
internal sealed record NginxWorker(ProcessIdentity Identity, bool IsLeaving);
