using Decant.Agent.Releases;
using Decant.Errors;

namespace Decant.Agent.Tests.Releases;

public class ReleaseUploadTests
{
    private static readonly byte[] Archive = new FakeRelease { Ballast = 300_000 }.ToArchive();

    private StoreRoom room = null!;

    [SetUp]
    public void Open() => room = new StoreRoom();

    [TearDown]
    public void Close() => room.Dispose();

    [Test]
    public async Task A_broken_upload_goes_on_from_its_last_byte_also_after_a_restart()
    {
        var digest = FakeRelease.IdOf(Archive).Digest;
        await using (var broken = await BeginAsync(Archive.Length, 0)) await broken.WriteAsync(Archive.AsMemory(0, 100_001), default);

        room.Reopen();
        Assert.That(room.Uploads.Find(FakeRelease.Shop, digest), Is.EqualTo(new ReleaseUploads.Progress(100_001, false)));
        await using (var resumed = await BeginAsync(Archive.Length, 100_001))
        {
            await resumed.WriteAsync(Archive.AsMemory(100_001), default);
            Assert.That(await resumed.TryCompleteAsync(), Is.True);
        }

        Assert.That(room.Uploads.Find(FakeRelease.Shop, digest), Is.EqualTo(new ReleaseUploads.Progress(Archive.Length, true)));
        Assert.That(File.ReadAllBytes(room.Directories.Archive(FakeRelease.Shop, digest)), Is.EqualTo(Archive));
    }

    [Test]
    public async Task An_upload_that_broke_after_its_last_byte_is_completed_by_one_that_sends_none()
    {
        await using (var broken = await BeginAsync(Archive.Length, 0)) await broken.WriteAsync(Archive, default);
        await using var resumed = await BeginAsync(Archive.Length, Archive.Length);

        Assert.That(await resumed.TryCompleteAsync(), Is.True);
    }

    [Test]
    public async Task Bytes_count_as_safe_only_when_they_were_flushed()
    {
        var large = new byte[9 << 20];
        await using var upload = await BeginAsync(large.Length * 2, 0);
        await upload.WriteAsync(large.AsMemory(0, 1000), default);
        Assert.That(room.Uploads.Find(FakeRelease.Shop, upload.Digest).Offset, Is.Zero);

        await upload.WriteAsync(large, default);
        Assert.That(() => room.Uploads.Find(FakeRelease.Shop, upload.Digest).Offset, Is.EqualTo(large.Length + 1000).After(10_000, 5));
    }

    [Test]
    public async Task A_wrong_offset_is_refused_with_the_right_one()
    {
        await using (var first = await BeginAsync(Archive.Length, 0)) await first.WriteAsync(Archive.AsMemory(0, 5000), default);
        var error = await RefusedAsync(() => BeginAsync(Archive.Length, 4000));

        Assert.That(error.Reason, Is.EqualTo("OFFSET_MISMATCH"));
        Assert.That(error.Facts["offset"], Is.EqualTo("5000"));
    }

    [Test]
    public async Task Other_bytes_than_announced_are_discarded()
    {
        var before = room.Listing;
        var other = Archive.ToArray();
        other[77] ^= 1;
        OperatorError error;
        await using (var upload = await BeginAsync(Archive.Length, 0))
        {
            await upload.WriteAsync(other, default);
            error = await RefusedAsync(upload.TryCompleteAsync);
        }

        Assert.That(error.Reason, Is.EqualTo("DIGEST_MISMATCH"));
        Assert.That(error.Facts["expected"], Is.EqualTo(FakeRelease.IdOf(Archive).Digest.Value));
        Assert.That(error.Facts["actual"], Is.EqualTo(FakeRelease.IdOf(other).Digest.Value));
        Assert.That(room.Listing, Is.EqualTo(before));
    }

    [Test]
    public async Task A_second_writer_is_refused_until_the_first_is_gone()
    {
        var first = await BeginAsync(Archive.Length, 0);
        Assert.That((await RefusedAsync(() => BeginAsync(Archive.Length, 0))).Reason, Is.EqualTo("UPLOAD_IN_PROGRESS"));

        await first.DisposeAsync();
        await using var second = await BeginAsync(Archive.Length, 0);
    }

    [Test]
    public async Task More_bytes_than_announced_are_refused()
    {
        await using var upload = await BeginAsync(1000, 0);

        Assert.That((await RefusedAsync(() => upload.WriteAsync(new byte[1001], default))).Reason, Is.EqualTo("BAD_REQUEST"));
    }

    [Test]
    public async Task An_archive_over_the_limit_is_refused_before_it_is_sent()
        => Assert.That((await RefusedAsync(() => BeginAsync(room.Limits.ArchiveBytes + 1, 0))).Reason, Is.EqualTo("ARCHIVE_TOO_LARGE"));

    [Test]
    public async Task An_upload_that_would_go_below_the_disks_floor_is_refused_and_leaves_nothing()
    {
        room.Free = () => room.Limits.DiskFloorBytes + 3999;
        var error = await RefusedAsync(() => BeginAsync(1000, 0));

        Assert.That(error.Reason, Is.EqualTo("DISK_FULL"));
        Assert.That(error.Message, Does.Contain("needs about 4000 bytes"));
        Assert.That(room.Listing, Is.Empty);
    }

    [Test]
    public async Task Uploads_that_nobody_went_on_with_are_deleted_at_the_start()
    {
        await using (var upload = await BeginAsync(Archive.Length, 0)) await upload.WriteAsync(Archive.AsMemory(0, 5000), default);
        room.Store.CleanUp();
        Assert.That(room.Listing, Has.Length.EqualTo(2));
        Assert.That(
            File.GetUnixFileMode(room.Directories.Uploads),
            Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute),
            "archives hold cookies");

        room.Time.Advance(ReleaseUploads.KeptFor + TimeSpan.FromHours(1));
        room.Store.CleanUp();
        Assert.That(room.Listing, Is.Empty);
    }

    private static async Task<OperatorError> RefusedAsync(Func<Task> action) => (await Assert.ThrowsAsync<OperatorException>(() => action()))!.Error;

    private Task<ReleaseUpload> BeginAsync(long total, long offset)
        => room.Uploads.BeginAsync(FakeRelease.Shop, FakeRelease.IdOf(Archive).Digest, total, offset, CancellationToken.None);
}
