using Decant.Agent.Releases;
using Decant.Names;

namespace Decant.Agent.Instances;

/// <summary>Which releases the slots of this host need, read from what is on disk.</summary>
/// <param name="store">Slots, and releases that were good.</param>
/// <param name="directories">Tells which of these are still there.</param>
internal sealed class ReleaseUse(InstanceStore store, ReleaseDirectories directories) : IReleaseUse
{
    /// <inheritdoc/>
    public IReadOnlyCollection<(SlotName Slot, ReleaseId Release)> InUse(AppName app)
        => [.. store.All().Where(r => r.Key.App == app && r.Wanted).Select(r => (r.Key.Slot, r.Release))];

    /// <inheritdoc/>
    public ReleaseId? LastGood(AppName app)
    {
        // What is kept warm is what a rollback goes to.
        var serving = store.All().Where(r => r.Key.App == app && r is { Wanted: true, Retirement: null }).Select(r => r.Release).ToHashSet();
        // One that was removed, as it may be while another is the last good one, must not stand before one that is there.
        return store.KnownGood(app).FirstOrDefault(release => !serving.Contains(release) && Directory.Exists(directories.Tree(app, release)));
    }

    /// <inheritdoc/>
    public IReadOnlySet<ReleaseId> KnownGood(AppName app) => store.KnownGood(app).ToHashSet();
}
