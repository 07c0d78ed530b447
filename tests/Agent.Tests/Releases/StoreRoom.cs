using Decant.Agent.Configuration;
using Decant.Agent.Releases;
using Decant.Errors;
using Decant.Names;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Decant.Agent.Tests.Releases;

/// <summary>A release store in a directory of its own, with a clock that moves a minute for each release.</summary>
internal sealed class StoreRoom : IReleaseUse, IDisposable
{
    public StoreRoom(HostLimits? limits = null)
    {
        Limits = limits ?? new HostLimits();
        Directories = new ReleaseDirectories(Data);
        Reopen();
    }

    public string Data { get; } = Directory.CreateTempSubdirectory("decant-test-").FullName;

    public HostLimits Limits { get; }

    public FakeTimeProvider Time { get; } = new(DateTimeOffset.UtcNow) { AutoAdvanceAmount = TimeSpan.FromMinutes(1) };

    public ReleaseDirectories Directories { get; }

    public ReleaseUploads Uploads { get; private set; } = null!;

    public ReleaseStore Store { get; private set; } = null!;

    public Func<long> Free { get; set; } = () => 1L << 50;

    public Dictionary<SlotName, ReleaseId> Slots { get; } = [];

    public ReleaseId? LastGoodRelease { get; set; }

    /// <summary>Everything below the data directory.</summary>
    public string[] Listing => [.. Directory.GetFileSystemEntries(Data, "*", SearchOption.AllDirectories)
        .Select(p => Path.GetRelativePath(Data, p)).Where(p => p is not ("uploads" or "releases")).Order(StringComparer.Ordinal)];

    /// <summary>As after a restart of the agent.</summary>
    public void Reopen()
    {
        var disk = new DiskSpace(_ => Free(), Limits);
        Uploads = new ReleaseUploads(Directories, Limits, disk, Time, NullLogger<ReleaseUploads>.Instance);
        Store = new ReleaseStore(Directories, Uploads, Limits, disk, this, Time, NullLogger<ReleaseStore>.Instance);
    }

    public async Task UploadAsync(byte[] archive, CancellationToken cancellation = default)
    {
        var id = FakeRelease.IdOf(archive);
        await using var upload = await Uploads.BeginAsync(FakeRelease.Shop, id.Digest, archive.Length, 0, cancellation);
        foreach (var piece in archive.Chunk(64 << 10)) await upload.WriteAsync(piece, cancellation);
        Assert.That(await upload.TryCompleteAsync(), Is.True);
    }

    public async Task<ReleaseId> StageAsync(FakeRelease release, CancellationToken cancellation = default)
    {
        var archive = release.ToArchive();
        await UploadAsync(archive, cancellation);
        var staged = await Store.StageAsync(FakeRelease.Shop, FakeRelease.IdOf(archive, release.Version), _ => { }, cancellation);
        return staged.Release;
    }

    /// <summary>Uploads and stages what must be refused, and shows that nothing of it is left.</summary>
    public async Task<OperatorError> RefusedAsync(byte[] archive, CancellationToken cancellation = default)
    {
        var before = Listing;
        await UploadAsync(archive, cancellation);
        var refused = await Assert.ThrowsAsync<OperatorException>(
            () => Store.StageAsync(FakeRelease.Shop, FakeRelease.IdOf(archive), _ => { }, cancellation));
        Assert.That(Listing, Is.EqualTo(before), "something was left behind");
        return refused!.Error;
    }

    public void Dispose() => ReleaseDirectories.DeleteTree(Data);

    IReadOnlyCollection<(SlotName Slot, ReleaseId Release)> IReleaseUse.InUse(AppName app) => [.. Slots.Select(s => (s.Key, s.Value))];

    ReleaseId? IReleaseUse.LastGood(AppName app) => LastGoodRelease;

    IReadOnlySet<ReleaseId> IReleaseUse.KnownGood(AppName app) => new HashSet<ReleaseId>();
}
