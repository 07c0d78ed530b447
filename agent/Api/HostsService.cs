using Decant.Agent.Configuration;
using Decant.Agent.Hosting;
using Decant.Agent.Instances;
using Decant.Agent.Leases;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Agent.State;
using Decant.Agent.Supervision;
using Decant.Names;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>decant.v1.Hosts: everything a controller has to know before it plans.</summary>
internal sealed class HostsService(
    AgentConfiguration configuration,
    AgentIdentity identity,
    ReleaseStore releases,
    IReleaseUse use,
    InstanceRegistry instances,
    ISupervisor supervisor,
    AgentDatabase database,
    OperationRunner runner,
    LeaseBook leases,
    OperationJournal journal) : V1.Hosts.HostsBase
{
    /// <inheritdoc/>
    public override Task<V1.HostStatus> GetStatus(V1.GetStatusRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var app = reader.Optional<AppName>("app", request.App, AppName.TryParse);
        reader.ThrowIfWrong();

        var disk = new DriveInfo(configuration.DataDirectory);
        var unfinished = journal.FoundInterrupted.Concat(runner.Running());
        return Task.FromResult(new V1.HostStatus
        {
            Host = identity.Host,
            AgentVersion = AgentIdentity.Version,
            AgentStartedAt = Timestamp.FromDateTimeOffset(identity.StartedAt),
            AgentPid = (uint)Environment.ProcessId,
            Architecture = HostFacts.Architecture,
            Os = HostFacts.OperatingSystem(),
            DiskFreeBytes = (ulong)disk.AvailableFreeSpace,
            DiskTotalBytes = (ulong)disk.TotalSize,
            Releases = { releases.List(app).Select(r => ReleaseMapping.ToMessage(r, use)) },
            Instances = { instances.All().Where(s => app is null || s.Key.App == app).Select(s => InstanceMapping.ToMessage(s.Snapshot())) },
            Unfinished = { unfinished.Select(o => OperationMapping.ToMessage(o, identity.Host)) },
            Supervisor = supervisor.Name,
            Warnings = { Warnings(disk) },
            Leases = { leases.List(app).Select(LeaseMapping.ToMessage) },
            ReadOnly = database.Fault is not { } fault ? null : new V1.ReadOnlyState
            {
                Reason = fault.Reason,
                KeptAs = fault.KeptAs ?? "",
                WhatNext = fault.Next,
                NotKnownAnyMore = { StateFault.NotKnownAnyMore },
            },
        });
    }

    private IEnumerable<string> Warnings(DriveInfo disk)
    {
        if (disk.AvailableFreeSpace < configuration.Limits.DiskFloorBytes)
        {
            yield return $"{disk.AvailableFreeSpace >> 20} MiB are free in {configuration.DataDirectory}, less than limits.disk_floor "
                + $"({Quantity.Shown(configuration.Limits.DiskFloorBytes)}): nothing can be staged; remove or prune releases";
        }

        if (journal.TryWriteRest() is { } problem)
        {
            yield return $"the journal cannot be written ({problem.Message}): the ends of {journal.Unwritten} operations are kept in memory, and no "
                + "operation can begin; free space or mend the disk that holds data_dir";
        }

        foreach (var warning in HostWarnings.Of(configuration)) yield return warning;
    }
}
