using Decant.Agent.Api;
using Decant.Agent.Configuration;
using Decant.Agent.Hosting;
using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Agent.Tests.Releases;
using Decant.Names;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Decant.Agent.Tests.Api;

internal sealed class HostsServiceTests
{
    [Test]
    public async Task The_status_of_a_host_has_everything_to_plan_with()
    {
        using var room = new StoreRoom();
        await using var api = await ServeAsync(room, new AgentConfiguration { DataDirectory = room.Data, File = "/nowhere/agent.yml" });
        var journal = api.Get<OperationJournal>();
        journal.Begin(new OperationRecord(
            OperationId.Parse("lost"), null, OperationKind.Drain, new OperationSubject(Member: "edge/shop/web1"), "f", DateTimeOffset.UtcNow.AddMinutes(-5), OperationState.Running));
        journal.EndLeftRunning(r => r with { State = OperationState.Interrupted, EndedAt = DateTimeOffset.UtcNow });

        var status = await new V1.Hosts.HostsClient(api.Channel).GetStatusAsync(new V1.GetStatusRequest { App = "shop" });

        using (Assert.EnterMultipleScope())
        {
            Assert.That(status.Host, Is.EqualTo("web1"));
            Assert.That(status.AgentPid, Is.EqualTo((uint)Environment.ProcessId));
            Assert.That(status.AgentVersion, Does.Match(@"^\d+\.\d+\.\d+$"));
            Assert.That(status.Architecture, Is.EqualTo("x86_64").Or.EqualTo("aarch64"));
            Assert.That(status.Os, Is.Not.Empty);
            Assert.That(status.DiskFreeBytes, Is.GreaterThan(0).And.LessThanOrEqualTo(status.DiskTotalBytes));
            Assert.That(status.Supervisor, Is.EqualTo("process"));
            Assert.That(status.Instances, Is.Empty);
            Assert.That(status.Unfinished.Single().State, Is.EqualTo(V1.OperationState.Interrupted));
            Assert.That(status.Unfinished.Single().Member, Is.EqualTo("edge/shop/web1"));
            Assert.That(status.Warnings, Is.Empty);
        }
    }

    [Test]
    public async Task A_disk_below_its_floor_and_files_that_others_may_read_are_warned_of()
    {
        using var room = new StoreRoom();
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["apps"]);
        await File.WriteAllTextAsync(directory["apps/shop.env"], "");
        File.SetUnixFileMode(directory["apps/shop.env"], (UnixFileMode)0b110_100_100);
        await using var api = await ServeAsync(room, new AgentConfiguration
        {
            DataDirectory = room.Data,
            File = directory["agent.yml"],
            Limits = new HostLimits { DiskFloorBytes = 1L << 55 },
        });

        var status = await new V1.Hosts.HostsClient(api.Channel).GetStatusAsync(new V1.GetStatusRequest());

        Assert.That(status.Warnings, Has.Count.EqualTo(2));
        Assert.That(status.Warnings[0], Does.Contain("less than limits.disk_floor"));
        Assert.That(status.Warnings[1], Does.Contain("shop.env can be read or written by others than its owner; run: chmod 600"));
    }

    [TestCase("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"", "Debian GNU/Linux 12 (bookworm)")]
    [TestCase("PRETTY_NAME=Alpine", "Alpine")]
    [TestCase("ID=x", null)]
    public void The_name_of_the_system_is_read_from_os_release(string text, string? expected)
        => Assert.That(HostFacts.PrettyName(text.Split('\n')), Is.EqualTo(expected));

    private static Task<ServedApi> ServeAsync(StoreRoom room, AgentConfiguration configuration)
        => ServedApi.StartAsync(
            services => services
                .AddSingleton(configuration)
                .AddSingleton(room.Store)
                .AddSingleton<IReleaseUse>(room)
                // Nothing was ever started: a registry without slots does not use its parts.
                .AddSingleton(new InstanceRegistry(null!, NullLogger<InstanceSlot>.Instance)),
            app => app.MapGrpcService<HostsService>());
}
