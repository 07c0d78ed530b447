using Decant.Agent.Api;
using Decant.Agent.Configuration;
using Decant.Agent.Hosting;
using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Agent.State;
using Decant.Agent.Supervision;
using Decant.Agent.Tests.Instances;
using Decant.Agent.Tests.Releases;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
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
            Assert.That(status.Supervisor, Is.EqualTo("scripted"));
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

    [Test]
    public async Task A_state_that_cannot_be_used_is_told_with_what_to_do_and_calls_that_change_something_are_refused()
    {
        using var room = new StoreRoom();
        await using var api = await ServeAsync(room, new AgentConfiguration { DataDirectory = room.Data, File = "/nowhere/agent.yml" });
        var hosts = new V1.Hosts.HostsClient(api.Channel);
        Assert.That((await hosts.GetStatusAsync(new V1.GetStatusRequest())).ReadOnly, Is.Null);
        var database = api.Get<AgentDatabase>();
        Assert.Throws<DatabaseDamagedException>(() => database.Use<int>(_ => throw new DatabaseDamagedException("page 3 of agent.db is not as it was written")));

        var status = await hosts.GetStatusAsync(new V1.GetStatusRequest());
        using var remove = new V1.Releases.ReleasesClient(api.Channel).PruneReleases(new V1.PruneReleasesRequest { Operation = new() { Id = "prune" }, App = "shop", Keep = 1 });
        using var upload = new V1.Releases.ReleasesClient(api.Channel).Upload();
        var health = await new JournalHealth(api.Get<OperationRunner>(), database, api.Get<OperationJournal>(), TimeProvider.System).CheckHealthAsync(new HealthCheckContext());

        using (Assert.EnterMultipleScope())
        {
            Assert.That(status.ReadOnly.Reason, Is.EqualTo("page 3 of agent.db is not as it was written"));
            Assert.That(status.ReadOnly.KeptAs, Does.Match("/agent\\.db\\.damaged-"));
            Assert.That(status.ReadOnly.WhatNext, Does.Contain("decantd --accept-rebuilt-state"));
            Assert.That(status.ReadOnly.NotKnownAnyMore, Is.Not.Empty);
            Assert.That(health.Status, Is.EqualTo(HealthStatus.Unhealthy));
        }

        foreach (var call in (Func<Task>[])[() => remove.ResponseStream.MoveNext(CancellationToken.None), async () => await upload])
        {
            var error = OperatorError.FromRpc((await Assert.ThrowsAsync<RpcException>(call))!);
            Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.FailedPrecondition, "STATE_READ_ONLY")));
            Assert.That(error.Facts, Does.ContainKey("fault").WithValue("damaged"));
        }
    }

    [TestCase("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"", "Debian GNU/Linux 12 (bookworm)")]
    [TestCase("PRETTY_NAME=Alpine", "Alpine")]
    [TestCase("ID=x", null)]
    public void The_name_of_the_system_is_read_from_os_release(string text, string? expected)
        => Assert.That(HostFacts.PrettyName(text.Split('\n')), Is.EqualTo(expected));

    private static ScriptedSupervisor Nothing { get; } = new("/", TimeProvider.System);

    private static Task<ServedApi> ServeAsync(StoreRoom room, AgentConfiguration configuration)
        => ServedApi.StartAsync(
            services => services
                .AddSingleton(configuration)
                .AddSingleton(room.Store)
                .AddSingleton(room.Uploads)
                .AddSingleton<IReleaseUse>(room)
                .AddSingleton<ISupervisor>(Nothing)
                // Nothing was ever started: a registry without slots does not use its other parts.
                .AddSingleton(new InstanceRegistry(
                    new InstanceParts(Nothing, null!, null!, null!, null!, null!, null!, new RestartSettings(), TimeProvider.System), NullLogger<InstanceSlot>.Instance)),
            app =>
            {
                app.MapGrpcService<HostsService>();
                app.MapGrpcService<ReleasesService>();
            });
}
