using Decant.Agent.Elixir;
using Decant.Agent.Instances;
using Decant.Agent.Releases;
using Decant.Agent.State;
using Decant.Names;
using Microsoft.Extensions.Logging.Abstractions;

namespace Decant.Agent.Tests.Releases;

/// <summary>Pruning, with the agent's own record of what was good: whatever is kept or removed, there is something to go back to.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class WayBackPruningTests : IDisposable
{
    private readonly StoreRoom room = new();
    private readonly AgentDatabase database;
    private readonly InstanceStore instances;
    private readonly ReleaseUse use;
    private readonly ReleaseStore store;
    private int hour;

    public WayBackPruningTests()
    {
        database = AgentDatabase.Open(Path.Combine(room.Data, "agent.db"));
        instances = new InstanceStore(database);
        use = new ReleaseUse(instances, room.Directories);
        var disk = new DiskSpace(_ => 1L << 50, room.Limits);
        store = new ReleaseStore(room.Directories, room.Uploads, room.Limits, disk, use, room.Time, NullLogger<ReleaseStore>.Instance);
    }

    public void Dispose()
    {
        database.Dispose();
        room.Dispose();
    }

    [Test]
    public async Task What_a_rollback_goes_to_is_kept_however_many_releases_are_newer_and_however_few_are_to_be_kept()
    {
        var good = await StageAsync("1.0.0");
        var serving = await StageAsync("1.1.0");
        Good(good);
        Serve(serving);
        // Deployments that failed: staged, and never good.
        for (var patch = 1; patch <= 5; patch++) await StageAsync($"1.2.{patch}");

        await store.PruneAsync(FakeRelease.Shop, 1, _ => { }, CancellationToken.None);

        Assert.That(store.List(FakeRelease.Shop).Select(r => r.Id.Version.Value), Is.EquivalentTo(new[] { "1.0.0", "1.1.0", "1.2.5" }));
        Assert.That(use.LastGood(FakeRelease.Shop), Is.EqualTo(good));
    }

    [Test]
    public async Task After_each_rollback_the_next_one_has_somewhere_to_go_as_long_as_a_good_release_is_there()
    {
        var (oldest, older, middle, newest) = (await StageAsync("1.0.0"), await StageAsync("1.1.0"), await StageAsync("1.2.0"), await StageAsync("1.3.0"));
        foreach (var release in new[] { older, oldest, middle }) Good(release);
        Serve(newest);
        // The oldest by staging, of which it was seen later than of 1.1.0 that it is good.
        await store.RemoveAsync(FakeRelease.Shop, oldest.Version, oldest.Digest, CancellationToken.None);

        instances.ForgetKnownGood(FakeRelease.Shop, newest);
        Serve(middle);
        await store.PruneAsync(FakeRelease.Shop, 1, _ => { }, CancellationToken.None);

        Assert.That(use.LastGood(FakeRelease.Shop), Is.EqualTo(older), "not the one that is there no more");
        Assert.That(store.List(FakeRelease.Shop).Select(r => r.Id), Has.Member(older));
    }

    private Task<ReleaseId> StageAsync(string version) => room.StageAsync(new FakeRelease { Version = version });

    private void Good(ReleaseId release) => instances.MarkKnownGood(FakeRelease.Shop, release, DateTimeOffset.UnixEpoch.AddHours(++hour));

    private void Serve(ReleaseId release)
    {
        Good(release);
        instances.Save(new InstanceRecord(
            new InstanceKey(FakeRelease.Shop, SlotName.Parse("main")),
            true,
            release,
            new SlotSpec(4000, NodeName.Parse("shop@localhost"), true, new Dictionary<string, string>()),
            null,
            null,
            0,
            null));
    }
}
