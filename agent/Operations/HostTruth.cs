using Decant.Agent.Elixir;
using Decant.Agent.Instances;
using Decant.Agent.Releases;
using Decant.Names;

namespace Decant.Agent.Operations;

/// <summary>What is true on this host, whatever the journal says: what recovery looks at.</summary>
/// <param name="Release">A staged release; null when it is not.</param>
/// <param name="Slot">A slot, as it was taken over; null when nothing was ever started in it.</param>
/// <param name="Migration">A deployment's migration that succeeded; null when none did.</param>
internal sealed record HostTruth(
    Func<AppName, ReleaseId, StagedRelease?> Release,
    Func<InstanceKey, InstanceSnapshot?> Slot,
    Func<AppName, DeploymentId, Migrated?> Migration)
{
    /// <summary>Of this agent.</summary>
    public static HostTruth Of(ReleaseStore releases, InstanceRegistry instances, Migrations migrations)
        => new(releases.TryGet, key => instances.TryGet(key)?.Snapshot(), migrations.FindSucceeded);
}
