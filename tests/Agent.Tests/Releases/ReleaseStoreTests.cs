using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Tests.Releases;

public class ReleaseStoreTests
{
    private static readonly SlotName Main = SlotName.Parse("main");

    private StoreRoom room = null!;

    [SetUp]
    public void Open() => room = new StoreRoom();

    [TearDown]
    public void Close() => room.Dispose();

    [Test]
    public async Task A_staged_release_is_read_only_described_and_survives_a_restart()
    {
        var id = await room.StageAsync(new FakeRelease { With = t => t.Symlink("bin/alias", "../bin/shop").HardLink("lib/copy", "bin/shop") });
        room.Reopen();
        var release = room.Store.Get(FakeRelease.Shop, id.Version, null);

        Assert.Multiple(() =>
        {
            Assert.That(release.Id, Is.EqualTo(id));
            Assert.That(release.ErtsVersion, Is.EqualTo("13.1.5"));
            Assert.That(release.IncludesErts, Is.True);
            Assert.That(release.Root, Is.EqualTo(Path.Combine(room.Data, "releases", "shop", id.ToString())));
            Assert.That(release.Entries, Is.EqualTo(Directory.GetFileSystemEntries(release.Root, "*", SearchOption.AllDirectories).Length - 1));
            Assert.That(Mode(release.Script), Is.EqualTo("555"));
            Assert.That(Mode(Path.Combine(release.Root, "releases/start_erl.data")), Is.EqualTo("444"));
            Assert.That(Mode(Path.Combine(release.Root, "releases/COOKIE")), Is.EqualTo("400"));
            Assert.That(Mode(release.Root), Is.EqualTo("555"));
            Assert.That(Mode(Path.Combine(release.Root, "lib")), Is.EqualTo("555"));
            Assert.That(File.ReadAllText(Path.Combine(release.Root, "bin/alias")), Does.StartWith("#!/bin/sh"));
            Assert.That(File.ReadAllText(Path.Combine(release.Root, "lib/copy")), Does.StartWith("#!/bin/sh"));
            Assert.That(room.Listing.Where(p => p.StartsWith("uploads", StringComparison.Ordinal)), Is.Empty, "the archive is not needed any more");
        });
    }

    private static IEnumerable<TestCaseData> Wrong()
    {
        static TestCaseData Case(string name, FakeRelease release, string reason, string says)
            => new TestCaseData(release, reason, says).SetName($"Refused_because_{name}");

        yield return Case("it_is_another_version", new FakeRelease { Version = "2.0.0" }, "VERSION_MISMATCH", "announced as version 1.0.0, but the archive holds version 2.0.0");
        yield return Case("it_is_another_app", new FakeRelease { Script = "store" }, "APP_MISMATCH", "no script bin/shop; it has bin/store");
        yield return Case("its_script_is_not_executable", new FakeRelease { ScriptMode = 0b110_100_100 }, "NOT_A_RELEASE", "bin/shop is not executable");
        yield return Case("start_erl_data_is_empty", new FakeRelease { StartData = "\n" }, "NOT_A_RELEASE", "is not \"<ERTS version> <release version>\"");
        yield return Case("start_erl_data_climbs", new FakeRelease { StartData = "13.1.5 ../1.0.0" }, "NOT_A_RELEASE", "start_erl.data");
        yield return Case("its_version_has_no_directory", new FakeRelease { Version = "9", StartData = "13.1.5 1.0.0" }, "NOT_A_RELEASE", "no directory releases/1.0.0");
        yield return Case("it_has_another_erts", new FakeRelease { Erts = "12.0", StartData = "13.1.5 1.0.0" }, "NOT_A_RELEASE", "names ERTS 13.1.5, but the archive has erts-12.0");
        yield return Case("it_is_packed_one_level_down", new FakeRelease { Below = "shop/" }, "NOT_A_RELEASE", "everything in the archive is below shop/");
        yield return Case("it_is_for_another_architecture", new FakeRelease { Vm = FakeRelease.ElfFor(258) }, "WRONG_ARCHITECTURE", $"built for loongarch64, this host is {ElfHeader.OfThisHost.Architecture}");
        yield return Case("it_is_built_on_macOS", new FakeRelease { Vm = [0xCF, 0xFA, 0xED, 0xFE, .. new byte[60]] }, "WRONG_ARCHITECTURE", "is a macOS program");
        yield return Case("its_vm_is_empty", new FakeRelease { Vm = [] }, "WRONG_ARCHITECTURE", "is not a program");
    }

    [TestCaseSource(nameof(Wrong))]
    public async Task What_is_not_the_announced_release_for_this_host_is_refused_and_leaves_nothing(FakeRelease release, string reason, string says)
    {
        var error = await room.RefusedAsync(release.ToArchive());

        Assert.That(error.Reason, Is.EqualTo(reason));
        Assert.That(error.Message, Does.Contain(says));
    }

    [Test]
    public async Task A_release_without_erts_needs_no_architecture()
    {
        var id = await room.StageAsync(new FakeRelease { Vm = null });

        Assert.That(room.Store.TryGet(FakeRelease.Shop, id)!.IncludesErts, Is.False);
    }

    [Test]
    public async Task Many_stages_of_one_release_at_once_unpack_it_once()
    {
        var archive = new FakeRelease { Ballast = 100_000 }.ToArchive();
        await room.UploadAsync(archive);
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(
            _ => Task.Run(() => room.Store.StageAsync(FakeRelease.Shop, FakeRelease.IdOf(archive), _ => { }, CancellationToken.None))));

        Assert.That(results.Count(r => !r.Unchanged), Is.EqualTo(1));
        Assert.That(room.Store.List(null), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task What_was_not_uploaded_cannot_be_staged()
    {
        var error = await RefusedAsync(() => room.Store.StageAsync(FakeRelease.Shop, FakeRelease.IdOf([1]), _ => { }, CancellationToken.None));

        Assert.That(error.Reason, Is.EqualTo("UPLOAD_INCOMPLETE"));
        Assert.That(error.Facts["offset"], Is.EqualTo("0"));
    }

    [Test]
    public async Task A_full_disk_refuses_the_stage_and_keeps_the_archive()
    {
        var archive = new FakeRelease().ToArchive();
        await room.UploadAsync(archive);
        var before = room.Listing;
        room.Free = () => room.Limits.DiskFloorBytes;
        Assert.That((await RefusedAsync(() => StageUploadedAsync(archive))).Reason, Is.EqualTo("DISK_FULL"));

        Assert.That(room.Listing, Is.EqualTo(before));
        room.Free = () => 1L << 50;
        Assert.That((await StageUploadedAsync(archive)).Unchanged, Is.False);
    }

    [Test]
    public async Task A_tree_that_grows_beyond_the_estimate_stops_at_the_disks_floor()
    {
        var archive = new FakeRelease { Ballast = 2 << 20, With = t => t.File("lib/zeros", new byte[64 << 20]) }.ToArchive();
        await room.UploadAsync(archive);
        var before = room.Listing;
        var asked = 0;
        room.Free = () => asked++ == 0 ? 1L << 50 : room.Limits.DiskFloorBytes - 1;

        Assert.That((await RefusedAsync(() => StageUploadedAsync(archive))).Reason, Is.EqualTo("DISK_FULL"));
        Assert.That(room.Listing, Is.EqualTo(before));
    }

    [Test]
    public async Task A_crash_between_staging_and_deleting_the_archive_is_made_good_at_the_start()
    {
        var archive = new FakeRelease().ToArchive();
        await room.UploadAsync(archive);
        await StageUploadedAsync(archive);
        var after = room.Listing;
        await room.UploadAsync(archive);

        room.Store.CleanUp();

        Assert.That(room.Listing, Is.EqualTo(after));
    }

    [Test]
    public async Task A_cancelled_stage_leaves_the_archive_and_nothing_else()
    {
        var archive = new FakeRelease { Ballast = 1_000_000 }.ToArchive();
        await room.UploadAsync(archive);
        var before = room.Listing;
        using var cancel = new CancellationTokenSource();

        // Cancelled at its first word, which is before it unpacks.
        Assert.That(
            () => room.Store.StageAsync(FakeRelease.Shop, FakeRelease.IdOf(archive), _ => cancel.Cancel(), cancel.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(room.Listing, Is.EqualTo(before));
    }

    [Test]
    public async Task Releases_are_listed_newest_first_and_a_version_that_is_there_twice_wants_its_digest()
    {
        var first = await room.StageAsync(new FakeRelease());
        var second = await room.StageAsync(new FakeRelease { Ballast = 10 });
        var third = await room.StageAsync(new FakeRelease { Version = "0.9.0" });

        Assert.That(room.Store.List(FakeRelease.Shop).Select(r => r.Id), Is.EqualTo(new[] { third, second, first }));
        var error = Assert.Throws<OperatorException>(() => room.Store.Get(FakeRelease.Shop, first.Version, null))!.Error;
        Assert.That(error.Reason, Is.EqualTo("RELEASE_AMBIGUOUS"));
        Assert.That(error.Message, Does.Contain(first.Digest.Prefix).And.Contain(second.Digest.Prefix));
        Assert.That(room.Store.Get(FakeRelease.Shop, first.Version, second.Digest).Id, Is.EqualTo(second));
        Assert.That(
            Assert.Throws<OperatorException>(() => room.Store.Get(FakeRelease.Shop, ReleaseVersion.Parse("7"), null))!.Error.Reason,
            Is.EqualTo("RELEASE_NOT_FOUND"));
    }

    [Test]
    public async Task A_release_in_use_and_the_last_good_one_are_not_removed_others_leave_nothing()
    {
        var used = await room.StageAsync(new FakeRelease { Version = "1" });
        var good = await room.StageAsync(new FakeRelease { Version = "2" });
        room.Slots[Main] = used;
        room.LastGoodRelease = good;

        var inUse = await RefusedAsync(() => RemoveAsync(used));
        Assert.That((inUse.Reason, inUse.Facts["slot"]), Is.EqualTo(("RELEASE_IN_USE", "main")));
        Assert.That((await RefusedAsync(() => RemoveAsync(good))).Reason, Is.EqualTo("RELEASE_LAST_GOOD"));

        room.Slots.Clear();
        room.LastGoodRelease = null;
        await RemoveAsync(used);
        await RemoveAsync(good);
        Assert.That(room.Listing, Is.Empty);
        Assert.That((await RefusedAsync(() => RemoveAsync(good))).Reason, Is.EqualTo("RELEASE_NOT_FOUND"));
    }

    [Test]
    public async Task Pruning_removes_the_oldest_but_those_that_are_needed_and_says_why()
    {
        var ids = new List<ReleaseId>();
        for (var version = 1; version <= 5; version++) ids.Add(await room.StageAsync(new FakeRelease { Version = $"{version}" }));
        room.Slots[Main] = ids[0];
        room.LastGoodRelease = ids[2];

        var pruned = await room.Store.PruneAsync(FakeRelease.Shop, 2, _ => { }, CancellationToken.None);

        Assert.That(pruned.Removed, Is.EqualTo(new[] { ids[1] }));
        Assert.That(pruned.Kept, Has.Count.EqualTo(2));
        Assert.That(pruned.Kept[0], Does.Contain(ids[0].ToString()).And.Contain("in use by slot main"));
        Assert.That(pruned.Kept[1], Does.Contain(ids[2].ToString()).And.Contain("a rollback"));
        Assert.That((await room.Store.PruneAsync(FakeRelease.Shop, 2, _ => { }, CancellationToken.None)).Unchanged, Is.True);
    }

    [Test]
    public async Task What_a_crash_left_is_deleted_at_the_start_and_releases_stay()
    {
        var id = await room.StageAsync(new FakeRelease());
        var before = room.Listing;
        var staging = room.Directories.CreateStaging(FakeRelease.Shop);
        Directory.CreateDirectory(Path.Combine(staging, "bin"));
        File.SetUnixFileMode(staging, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Directory.CreateDirectory(Path.Combine(room.Directories.Of(FakeRelease.Shop), ".removing-x/lib"));
        Directory.CreateDirectory(Path.Combine(room.Data, "releases/other/.staging-y"));

        room.Reopen();
        room.Store.CleanUp();

        Assert.That(room.Listing, Is.EqualTo(before));
        Assert.That(room.Store.List(null).Select(r => r.Id), Is.EqualTo(new[] { id }));
    }

    [Test]
    public async Task A_directory_that_is_not_the_agents_is_neither_listed_nor_replaced()
    {
        var archive = new FakeRelease().ToArchive();
        await room.UploadAsync(archive);
        var foreign = room.Directories.Tree(FakeRelease.Shop, FakeRelease.IdOf(archive));
        Directory.CreateDirectory(foreign);

        Assert.That(room.Store.List(null), Is.Empty);
        Assert.That((await RefusedAsync(() => StageUploadedAsync(archive))).Reason, Is.EqualTo("RELEASE_PATH_TAKEN"));
        Assert.That(Directory.Exists(foreign), Is.True);
    }

    private static string Mode(string path) => Convert.ToString((int)File.GetUnixFileMode(path), 8);

    private static async Task<OperatorError> RefusedAsync(Func<Task> action) => (await Assert.ThrowsAsync<OperatorException>(() => action()))!.Error;

    private Task<Staged> StageUploadedAsync(byte[] archive)
        => room.Store.StageAsync(FakeRelease.Shop, FakeRelease.IdOf(archive), _ => { }, CancellationToken.None);

    private Task<Done> RemoveAsync(ReleaseId id) => room.Store.RemoveAsync(FakeRelease.Shop, id.Version, id.Digest, CancellationToken.None);
}
