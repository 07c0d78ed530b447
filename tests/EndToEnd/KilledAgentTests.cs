using Decant.EndToEnd.Harness;
using Decant.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Decant.EndToEnd;

public class KilledAgentTests
{
    [Test]
    [CancelAfter(180_000)]
    public async Task An_upload_whose_agent_is_killed_again_and_again_goes_on_from_what_is_on_disk(CancellationToken cancellation)
    {
        await using var agent = await LoneAgent.StartAsync(cancellation);
        var (archive, release) = await agent.BuildAsync("1.0.0", cancellation);
        var partial = Path.Combine(agent.Host.Data, "uploads", "demo", $"{release.Digest}.part");

        foreach (var until in (int[])[1, 700_001, archive.Length / 2, archive.Length - 1])
        {
            using (var upload = agent.Client.Releases.Upload(cancellationToken: cancellation))
            {
                var begin = await OffsetAsync(agent, release, cancellation);
                await upload.RequestStream.WriteAsync(Header(release, archive, begin), cancellation);
                foreach (var piece in archive.AsMemory((int)begin..until).ToArray().Chunk(100_000))
                    await upload.RequestStream.WriteAsync(new UploadRequest { Data = UnsafeByteOperations.UnsafeWrap(piece) }, cancellation);
                await Eventually.TrueAsync(() => Task.FromResult(File.Exists(partial) && new FileInfo(partial).Length > (long)begin), "a piece came", cancellation);
                await agent.Host.KillAgentAsync();
            }

            var left = new FileInfo(partial).Length;
            await agent.Host.StartAgentAsync(cancellation);
            Assert.That(await OffsetAsync(agent, release, cancellation), Is.EqualTo((ulong)left).And.LessThanOrEqualTo((ulong)until));
        }

        var staged = await agent.Client.StageAsync("demo", release, archive, cancellation);

        Assert.That(staged.Stage.Entries, Is.GreaterThan(100));
    }

    [Test]
    [CancelAfter(240_000)]
    public async Task A_stage_whose_agent_is_killed_at_any_moment_leaves_no_half_release_and_can_be_done_again(CancellationToken cancellation)
    {
        await using var agent = await LoneAgent.StartAsync(cancellation);
        var (archive, release) = await agent.BuildAsync("1.0.0", cancellation);
        var releases = Path.Combine(agent.Host.Data, "releases", "demo");

        foreach (var entries in (int[])[0, 1, 40, 300, 560])
        {
            await agent.Client.UploadAsync("demo", release, archive, cancellation);
            var id = $"killed/{entries}";
            using (var stage = agent.Client.Releases.Stage(
                new StageRequest { Operation = AgentClient.NewOperation(id), App = "demo", Release = release }, cancellationToken: cancellation))
            {
                // 0: as soon as it is said to be journaled.
                Assert.That(await stage.ResponseStream.MoveNext(cancellation), Is.True);
                await Eventually.TrueAsync(() => Task.FromResult(entries == 0 || Unpacked(releases) >= entries), $"{entries} entries are unpacked", cancellation);
                await agent.Host.KillAgentAsync();
            }

            await agent.Host.StartAgentAsync(cancellation);
            var operation = await agent.Client.Operations.GetOperationAsync(new GetOperationRequest { Id = id }, cancellationToken: cancellation);
            var listed = await agent.Client.Releases.ListReleasesAsync(new ListReleasesRequest(), cancellationToken: cancellation);
            var hidden = Directory.Exists(releases) ? Directory.GetDirectories(releases, ".*") : [];

            Assert.Multiple(() =>
            {
                Assert.That(operation.State, Is.EqualTo(OperationState.Interrupted).Or.EqualTo(OperationState.Succeeded), id);
                Assert.That(hidden, Is.Empty, "what was half unpacked is deleted");
                Assert.That(listed.Releases.Select(r => r.Release_), Is.Empty.Or.EqualTo(new[] { release }));
            });
            var again = await agent.Client.StageAsync("demo", release, archive, cancellation);
            Assert.That(again.Unchanged, Is.EqualTo(listed.Releases.Count == 1));
            Assert.That(Directory.EnumerateFileSystemEntries(Directory.GetDirectories(releases).Single(), "*", SearchOption.AllDirectories).Count(), Is.GreaterThan((int)again.Stage.Entries));
            await AgentClient.ResultAsync(
                agent.Client.Releases.RemoveRelease(
                    new RemoveReleaseRequest { Operation = AgentClient.NewOperation(), App = "demo", Release = release }, cancellationToken: cancellation),
                cancellation);
        }
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task A_start_whose_agent_is_killed_when_its_release_runs_has_succeeded_and_so_has_the_same_call_again(CancellationToken cancellation)
    {
        await using var agent = await LoneAgent.StartAsync(cancellation);
        var (archive, release) = await agent.BuildAsync("1.0.0", cancellation);
        await agent.Client.StageAsync("demo", release, archive, cancellation);
        var kept = Path.Combine(agent.Host.Data, "apps", "demo", "main", "instance.json");
        var request = new StartRequest { Operation = AgentClient.NewOperation("killed/start"), App = "demo", Slot = "main", Release = release, Spec = agent.Spec };
        using (var start = agent.Client.Instances.Start(request, cancellationToken: cancellation))
        {
            await Eventually.TrueAsync(() => Task.FromResult(File.Exists(kept)), "its keeper has written what runs", cancellation);
            await agent.Host.KillAgentAsync();
        }

        await agent.Host.StartAgentAsync(cancellation);
        var instance = (await agent.Client.Hosts.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation)).Instances.Single();
        var operation = await agent.Client.Operations.GetOperationAsync(new GetOperationRequest { Id = "killed/start" }, cancellationToken: cancellation);
        var again = await AgentClient.ResultAsync(agent.Client.Instances.Start(request, cancellationToken: cancellation), cancellation);

        Assert.That(operation.State, Is.EqualTo(OperationState.Succeeded));
        Assert.That(operation.Result.Start.Pid, Is.EqualTo(instance.Pid).And.Not.Zero);
        Assert.That(again, Is.EqualTo(operation.Result), "the first call's result");
        await Eventually.TrueAsync(() => agent.ServesAsync(cancellation), "it serves", cancellation);
        Assert.That(agent.Host.Agent.Output, Does.Not.Contain("its keeper is gone"));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Two_uploads_and_two_stages_of_one_release_at_once_come_to_one_release(CancellationToken cancellation)
    {
        await using var agent = await LoneAgent.StartAsync(cancellation);
        var (archive, release) = await agent.BuildAsync("1.0.0", cancellation);
        using (var first = agent.Client.Releases.Upload(cancellationToken: cancellation))
        {
            await first.RequestStream.WriteAsync(Header(release, archive, 0), cancellation);
            await first.RequestStream.WriteAsync(new UploadRequest { Data = ByteString.CopyFrom(archive, 0, 1000) }, cancellation);
            var partial = Path.Combine(agent.Host.Data, "uploads", "demo", $"{release.Digest}.part");
            await Eventually.TrueAsync(() => Task.FromResult(File.Exists(partial)), "the first upload has begun", cancellation);
            var refused = await AgentClient.ErrorAsync(async () =>
            {
                using var second = agent.Client.Releases.Upload(cancellationToken: cancellation);
                await second.RequestStream.WriteAsync(Header(release, archive, 0), cancellation);
                await second;
            });
            Assert.That((refused.Code, refused.Reason), Is.EqualTo((StatusCode.Aborted, "UPLOAD_IN_PROGRESS")));
            foreach (var piece in archive[1000..].Chunk(200_000)) await first.RequestStream.WriteAsync(new UploadRequest { Data = ByteString.CopyFrom(piece) }, cancellation);
            await first.RequestStream.CompleteAsync();
            Assert.That((await first).Complete, Is.True);
        }

        var staged = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => AgentClient.ResultAsync(
            agent.Client.Releases.Stage(
                new StageRequest { Operation = AgentClient.NewOperation(), App = "demo", Release = release }, cancellationToken: cancellation),
            cancellation)));

        Assert.That(staged.Count(s => !s.Unchanged), Is.EqualTo(1));
        Assert.That(staged.Select(s => s.Stage).Distinct().Count(), Is.EqualTo(1));
        Assert.That(Directory.GetDirectories(Path.Combine(agent.Host.Data, "releases", "demo")), Has.Length.EqualTo(1));
    }

    private static int Unpacked(string releases)
    {
        try
        {
            return Directory.Exists(releases)
                ? Directory.GetDirectories(releases, ".staging-*").Sum(d => Directory.EnumerateFileSystemEntries(d, "*", SearchOption.AllDirectories).Count())
                    + (Directory.GetDirectories(releases).Count(d => !Path.GetFileName(d).StartsWith('.')) * 100_000)
                : 0;
        }
        catch (DirectoryNotFoundException)
        {
            // Renamed while it was counted.
            return 0;
        }
    }

    private static async Task<ulong> OffsetAsync(LoneAgent agent, ReleaseRef release, CancellationToken cancellation)
        => (await agent.Client.Releases.GetUploadAsync(new GetUploadRequest { App = "demo", Release = release }, cancellationToken: cancellation)).Offset;

    private static UploadRequest Header(ReleaseRef release, byte[] archive, ulong offset)
        => new() { Header = new UploadHeader { App = "demo", Release = release, TotalBytes = (ulong)archive.Length, Offset = offset } };
}
