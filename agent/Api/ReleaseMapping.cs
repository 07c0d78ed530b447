using Decant.Agent.Releases;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Agent.Api;

/// <summary>From staged releases to messages.</summary>
internal static class ReleaseMapping
{
    /// <summary>A release, with who uses it.</summary>
    public static V1.Release ToMessage(StagedRelease release, IReleaseUse use) => new()
    {
        App = release.App.Value,
        Release_ = new V1.ReleaseRef { Version = release.Id.Version.Value, Digest = release.Id.Digest.Value },
        ErtsVersion = release.ErtsVersion,
        IncludesErts = release.IncludesErts,
        UnpackedBytes = (ulong)release.UnpackedBytes,
        StagedAt = Timestamp.FromDateTimeOffset(release.StagedAt),
        Slots = { use.InUse(release.App).Where(u => u.Release == release.Id).Select(u => u.Slot.Value).Distinct().Order(StringComparer.Ordinal) },
        KnownGood = use.KnownGood(release.App).Contains(release.Id),
        LastGood = use.LastGood(release.App) == release.Id,
    };
}
