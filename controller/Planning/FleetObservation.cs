using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>What the agents say is there, asked once before planning.</summary>
/// <param name="Hosts">One entry for each host of the manifest.</param>
public sealed record FleetObservation(IReadOnlyDictionary<HostName, HostObservation> Hosts);

/// <summary>What one agent says of one app.</summary>
public abstract record HostObservation
{
    private HostObservation()
    {
    }

    /// <summary>The agent did not answer.</summary>
    /// <param name="Error">Why.</param>
    public sealed record Unreachable(OperatorError Error) : HostObservation;

    /// <summary>The agent answered.</summary>
    /// <param name="Staged">Releases on the host.</param>
    /// <param name="LastGood">What a rollback would go to: the newest known-good release that does not run; null when there is none.</param>
    /// <param name="Running">What the manifest's slot runs; null when nothing does.</param>
    /// <param name="Report">The rest of the agent's answer, for display.</param>
    public sealed record Seen(
        IReadOnlySet<ReleaseId> Staged, ReleaseId? LastGood, RunningInstance? Running, Decant.V1.HostStatus? Report) : HostObservation;
}

/// <summary>An instance that runs in the manifest's slot of a host.</summary>
/// <param name="Release">What it runs.</param>
/// <param name="Healthy">It is running and its health check, where it has one, succeeds.</param>
/// <param name="Slot">The settings it was started with.</param>
public sealed record RunningInstance(ReleaseId Release, bool Healthy, SlotSettings Slot);
