using Decant.Names;

namespace Decant.Agent.Releases;

/// <summary>Which releases the instances of this host need: what must not be deleted.</summary>
internal interface IReleaseUse
{
    /// <summary>Slots, each with the release that it runs or is meant to run; a slot that changes is there with both.</summary>
    IReadOnlyCollection<(SlotName Slot, ReleaseId Release)> InUse(AppName app);

    /// <summary>What a rollback on this host would go to; null when there is nothing to go back to.</summary>
    ReleaseId? LastGood(AppName app);

    /// <summary>Releases that have been healthy on this host for the time that a deployment asked for.</summary>
    IReadOnlySet<ReleaseId> KnownGood(AppName app);
}
