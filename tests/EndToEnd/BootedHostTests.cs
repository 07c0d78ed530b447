using Decant.EndToEnd.Harness;
using Decant.V1;

namespace Decant.EndToEnd;

/// <summary>Hosts that really boot: what the tests under systemd stand on.</summary>
public class BootedHostTests
{
    [Test]
    [CancelAfter(240_000)]
    public async Task Hosts_boot_side_by_side_with_the_agent_as_a_service_and_leave_nothing_behind(CancellationToken cancellation)
    {
        var before = Left();
        var hosts = await Task.WhenAll(AgentOnHost.BootAsync("web1", cancellation), AgentOnHost.BootAsync("web2", cancellation));
        try
        {
            foreach (var (host, name) in hosts.Zip(["web1", "web2"]))
            {
                var unit = await host.UnitAsync("decantd", "ActiveState,SubState,Type,NRestarts,WatchdogUSec", cancellation);
                var status = await host.Client.Hosts.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);
                var first = await host.Host.DoneAsync("readlink /proc/1/exe; hostname", cancellation);
                Assert.Multiple(() =>
                {
                    Assert.That(
                        unit,
                        Is.EquivalentTo(new Dictionary<string, string>
                        {
                            ["ActiveState"] = "active",
                            ["SubState"] = "running",
                            ["Type"] = "notify",
                            ["NRestarts"] = "0",
                            ["WatchdogUSec"] = "30s",
                        }));
                    Assert.That(status.Host, Is.EqualTo(name));
                    Assert.That(first, Is.EqualTo($"/usr/lib/systemd/systemd\n{name}\n"));
                });
            }
        }
        finally
        {
            await Task.WhenAll(hosts.Select(h => h.DisposeAsync().AsTask()));
        }

        // Of other tests, which run at the same time, there may be some that were not there before, and others.
        Assert.That(Left().Except(before).Where(left => hosts.Any(h => left.Contains(h.Host.Id, StringComparison.Ordinal))), Is.Empty);
    }

    /// <summary>What a host is made of that outlives a process: mounts, cgroups, directories.</summary>
    private static List<string> Left() =>
    [
        .. File.ReadLines("/proc/mounts").Where(line => line.Contains("/decant-", StringComparison.Ordinal)),
        .. new[] { "/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", Path.GetTempPath() }
            .Where(Directory.Exists)
            .SelectMany(directory => Directory.EnumerateDirectories(directory, "decant-*")),
    ];
}
