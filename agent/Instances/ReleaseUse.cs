using Decant.Agent.Releases;
using Decant.Names;

namespace Decant.Agent.Instances;

/// <summary>Which releases the slots of this host need, read from what is on disk.</summary>
internal sealed class ReleaseUse(InstanceStore store) : IReleaseUse
{
    /// <inheritdoc/>
    public IReadOnlyCollection<(SlotName Slot, ReleaseId Release)> InUse(AppName app)
        => [.. store.All().Where(r => r.Key.App == app && r.Wanted).Select(r => (r.Key.Slot, r.Release))];

    /// <inheritdoc/>
    public ReleaseId? LastGood(AppName app)
    {
        // What is kept warm is what a rollback goes to.
        var serving = store.All().Where(r => r.Key.App == app && r is { Wanted: true, Retirement: null }).Select(r => r.Release).ToHashSet();
        return store.KnownGood(app).FirstOrDefault(release => !serving.Contains(release));
    }

    /// <inheritdoc/>
    public IReadOnlySet<ReleaseId> KnownGood(AppName app) => store.KnownGood(app).ToHashSet();
}
