using Decant.Agent.Api;
using Decant.Agent.Releases;
using Decant.Agent.Tests.Api;
using Decant.Errors;
using Decant.V1;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Decant.Agent.Tests.Releases;

/// <summary>The service behind a real Kestrel on a unix socket, called as any gRPC client calls it.</summary>
[CancelAfter(30_000)]
public class ReleasesServiceTests
{
    private static readonly byte[] Archive = new FakeRelease { Ballast = 300_000 }.ToArchive();

    private StoreRoom room = null!;
    private ServedApi api = null!;
    private V1.Releases.ReleasesClient client = null!;

    [SetUp]
    public async Task Serve()
    {
        room = new StoreRoom();
        api = await ServedApi.StartAsync(
            services => services.AddSingleton(room.Store).AddSingleton(room.Uploads).AddSingleton<IReleaseUse>(room),
            app => app.MapGrpcService<ReleasesService>());
        client = new V1.Releases.ReleasesClient(api.Channel);
    }

    [TearDown]
    public async Task Stop()
    {
        await api.DisposeAsync();
        room.Dispose();
    }

    [Test]
    public async Task A_release_goes_from_its_first_byte_to_the_list_and_is_removed_again(CancellationToken cancellation)
    {
        var status = await UploadAsync(Archive, cancellation);
        Assert.That((status.Complete, status.Staged, status.Offset), Is.EqualTo((true, false, (ulong)Archive.Length)));

        var staged = await FinishedAsync(client.Stage(
            new StageRequest { Operation = new() { Id = "stage" }, App = "shop", Release = Ref(Archive) }, cancellationToken: cancellation).ResponseStream, cancellation);
        Assert.That(staged.Result.Unchanged, Is.False);
        var again = await FinishedAsync(client.Stage(
            new StageRequest { Operation = new() { Id = "again" }, App = "shop", Release = Ref(Archive) }, cancellationToken: cancellation).ResponseStream, cancellation);
        Assert.That(again.Result.Unchanged, Is.True);
        Assert.That(again.Result.Stage, Is.EqualTo(staged.Result.Stage));

        status = await client.GetUploadAsync(new GetUploadRequest { App = "shop", Release = Ref(Archive) }, cancellationToken: cancellation);
        Assert.That((status.Complete, status.Staged), Is.EqualTo((true, true)));
        room.Slots[Names.SlotName.Parse("blue")] = FakeRelease.IdOf(Archive);
        var listed = await client.ListReleasesAsync(new ListReleasesRequest { App = "shop" }, cancellationToken: cancellation);
        Assert.That(listed.Releases.Single().Slots, Is.EqualTo(new[] { "blue" }));
        Assert.That((await client.GetReleaseAsync(new GetReleaseRequest { App = "shop", Release = new() { Version = "1.0.0" } }, cancellationToken: cancellation)).Release_, Is.EqualTo(Ref(Archive)));

        var error = await RefusedAsync(() => RemoveAsync("used", cancellation));
        Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.FailedPrecondition, "RELEASE_IN_USE")));
        room.Slots.Clear();
        await RemoveAsync("unused", cancellation);
        Assert.That(room.Listing, Is.Empty);
    }

    [Test]
    public async Task An_upload_that_a_client_broke_off_is_continued_from_the_offset_that_the_agent_names(CancellationToken cancellation)
    {
        using (var breaking = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
        {
            var broken = client.Upload(cancellationToken: breaking.Token);
            await broken.RequestStream.WriteAsync(Header(Archive, 0), cancellation);
            await broken.RequestStream.WriteAsync(Data(Archive.AsMemory(0, 100_000)), cancellation);
            Assert.That(() => Partial() is { Exists: true } partial ? partial.Length : 0, Is.EqualTo(100_000).After(10_000, 5));
            await breaking.CancelAsync();
        }

        var status = new UploadStatus();
        // The agent learns a moment later that the client is gone. Until then somebody else is uploading; just then its offset may move
        // between question and upload.
        await TryUntilAsync(async () => status = await UploadAsync(Archive, cancellation), ["UPLOAD_IN_PROGRESS", "OFFSET_MISMATCH"], cancellation);

        Assert.That(status.Complete, Is.True);
    }

    [Test]
    public async Task Every_wrong_field_is_named(CancellationToken cancellation)
    {
        var call = client.Upload(cancellationToken: cancellation);
        await call.RequestStream.WriteAsync(
            new UploadRequest { Header = new() { App = "../shop", Release = new() { Version = "..", Digest = "x" } } }, cancellation);
        var error = await RefusedAsync(async () => await call);

        Assert.That(error.Fields.Select(f => f.Field), Is.EquivalentTo(
            new[] { "header.app", "header.release.version", "header.release.digest", "header.total_bytes" }));
    }

    [Test]
    public async Task A_refused_archive_ends_the_stream_with_its_reason_and_the_host(CancellationToken cancellation)
    {
        var evil = new FakeRelease { With = t => t.File("../evil", "x") }.ToArchive();
        await UploadAsync(evil, cancellation);
        var error = await RefusedAsync(() => FinishedAsync(client.Stage(
            new StageRequest { Operation = new() { Id = "evil" }, App = "shop", Release = Ref(evil) }, cancellationToken: cancellation).ResponseStream, cancellation));

        Assert.That((error.Code, error.Reason, error.Facts["entry"], error.Facts["host"]), Is.EqualTo((StatusCode.InvalidArgument, "ARCHIVE_UNSAFE", "../evil", "web1")));
        Assert.That(room.Listing, Is.Empty);
    }

    [Test]
    public async Task Pruning_keeps_at_least_one(CancellationToken cancellation)
    {
        var error = await RefusedAsync(() => FinishedAsync(client.PruneReleases(
            new PruneReleasesRequest { Operation = new() { Id = "p" }, App = "shop" }, cancellationToken: cancellation).ResponseStream, cancellation));

        Assert.That(error.Fields.Single().Field, Is.EqualTo("keep"));
    }

    private static ReleaseRef Ref(byte[] archive) => new() { Version = "1.0.0", Digest = FakeRelease.IdOf(archive).Digest.Value };

    private static UploadRequest Header(byte[] archive, ulong offset)
        => new() { Header = new() { App = "shop", Release = Ref(archive), TotalBytes = (ulong)archive.Length, Offset = offset } };

    private static UploadRequest Data(ReadOnlyMemory<byte> data) => new() { Data = UnsafeByteOperations.UnsafeWrap(data) };

    private static async Task<Operation> FinishedAsync(IAsyncStreamReader<V1.OperationEvent> events, CancellationToken cancellation)
    {
        Operation? finished = null;
        await foreach (var item in events.ReadAllAsync(cancellation)) finished = item.Finished;
        return finished!;
    }

    private static async Task<OperatorError> RefusedAsync(Func<Task> call)
        => OperatorError.FromRpc((await Assert.ThrowsAsync<RpcException>(() => call()))!);

    private static async Task TryUntilAsync(Func<Task> attempt, string[] passing, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                await attempt();
                return;
            }
            catch (RpcException exception) when (passing.Contains(OperatorError.FromRpc(exception).Reason))
            {
                cancellation.ThrowIfCancellationRequested();
            }
        }
    }

    private FileInfo Partial() => new(room.Directories.Partial(FakeRelease.Shop, FakeRelease.IdOf(Archive).Digest));

    private async Task<UploadStatus> UploadAsync(byte[] archive, CancellationToken cancellation)
    {
        var status = await client.GetUploadAsync(new GetUploadRequest { App = "shop", Release = Ref(archive) }, cancellationToken: cancellation);
        using var call = client.Upload(cancellationToken: cancellation);
        try
        {
            await call.RequestStream.WriteAsync(Header(archive, status.Offset), cancellation);
            for (var at = (int)status.Offset; at < archive.Length; at += 64 << 10)
                await call.RequestStream.WriteAsync(Data(archive.AsMemory(at, Math.Min(64 << 10, archive.Length - at))), cancellation);
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception exception) when (exception is RpcException or InvalidOperationException)
        {
            // The agent ended the call; its answer says why.
        }

        return await call;
    }

    private Task<Operation> RemoveAsync(string operation, CancellationToken cancellation) => FinishedAsync(client.RemoveRelease(
        new RemoveReleaseRequest { Operation = new() { Id = operation }, App = "shop", Release = Ref(Archive) }, cancellationToken: cancellation).ResponseStream, cancellation);
}
