using Decant.Agent.Configuration;
using Decant.Agent.Releases;
using Decant.Agent.Tests.Releases;
using Decant.EndToEnd.Harness;
using Decant.Names;
using Microsoft.Extensions.Logging.Abstractions;

namespace Decant.Agent.Tests;

/// <summary>Two builds of the demo app, real releases of <c>mix release</c>, built and staged once for all tests that want them.</summary>
[SetUpFixture]
public sealed class DemoReleases
{
    private static readonly TemporaryDirectory Data = new();
    private static readonly Lazy<Task<IReadOnlyList<ReleaseId>>> Staged = new(StageAsync);

    internal static AppName App { get; } = AppName.Parse("demo");

    internal static ReleaseDirectories Directories { get; } = new(Data.Path);

    /// <summary>Builds of 1.0.0 and 2.0.0.</summary>
    internal static Task<IReadOnlyList<ReleaseId>> GetAsync() => Staged.Value;

    /// <summary>The store that has them, as an agent opens it.</summary>
    internal static ReleaseStore Open(IReleaseUse use)
    {
        var limits = new HostLimits { DiskFloorBytes = 0 };
        var disk = DiskSpace.Real(limits);
        var uploads = new ReleaseUploads(Directories, limits, disk, TimeProvider.System, NullLogger<ReleaseUploads>.Instance);
        return new ReleaseStore(Directories, uploads, limits, disk, use, TimeProvider.System, NullLogger<ReleaseStore>.Instance);
    }

    [OneTimeTearDown]
    public void Delete() => ReleaseDirectories.DeleteTree(Data.Path);

    private static async Task<IReadOnlyList<ReleaseId>> StageAsync()
    {
        using var room = new StoreRoom();
        var store = Open(room);
        var ids = new List<ReleaseId>();
        foreach (var version in new[] { "1.0.0", "2.0.0" })
        {
            var file = await DemoRelease.BuildAsync(version, Data.Path, CancellationToken.None);
            var archive = await File.ReadAllBytesAsync(file);
            var id = FakeRelease.IdOf(archive, version);
            // Where a finished upload is.
            using (Directories.OpenPartial(Directories.Partial(App, id.Digest)))
            {
                File.Copy(file, Directories.Archive(App, id.Digest));
            }

            await store.StageAsync(App, id, _ => { }, CancellationToken.None);
            ids.Add(id);
        }

        return ids;
    }
}
