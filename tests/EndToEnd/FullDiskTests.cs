using System.Formats.Tar;
using System.IO.Compression;
using Decant.EndToEnd.Harness;
using Decant.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Health.V1;

namespace Decant.EndToEnd;

/// <summary>A real file system that is full: a small tmpfs of the test's own. Mounting it needs root.</summary>
public class FullDiskTests
{
    private LoneAgent agent = null!;
    private SmallDisk disk = null!;

    [SetUp]
    public async Task MountAndStart()
    {
        agent = LoneAgent.Prepare(diskFloor: "0");
        disk = await SmallDisk.MountAsync(agent.Host.Data, "96m");
        await agent.Host.StartAgentAsync(CancellationToken.None);
    }

    [TearDown]
    public async Task Unmount()
    {
        await agent.Host.DisposeAsync();
        await LeftProcesses.KillAsync(agent.Directory);
        await disk.DisposeAsync();
        await agent.DisposeAsync();
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task On_a_full_disk_nothing_begins_what_ends_is_remembered_reads_and_releases_go_on_and_all_works_when_there_is_room_again(CancellationToken cancellation)
    {
        var release = await agent.StartReleaseAsync(cancellation);
        var client = agent.Client;
        using var endless = client.Instances.Evaluate(
            new EvaluateRequest { Operation = AgentClient.NewOperation("endless"), App = "demo", Slot = "main", Expression = "Process.sleep(:infinity)" },
            cancellationToken: cancellation);
        Assert.That(await endless.ResponseStream.MoveNext(cancellation), Is.True);
        var (archive, next) = await agent.BuildAsync("1.1.0", cancellation);
        await client.UploadAsync("demo", next, archive, cancellation);
        disk.Fill();

        var stage = await AgentClient.ErrorAsync(() => client.StageAsync("demo", next, archive, cancellation));
        var upload = await AgentClient.ErrorAsync(() => client.UploadAsync("demo", AgentClient.Announce("1.2.0", [.. archive, 0]), [.. archive, 0], cancellation));
        await client.Operations.CancelOperationAsync(new CancelOperationRequest { Id = "endless", Reason = "the test: enough" }, cancellationToken: cancellation);
        await Eventually.TrueAsync(async () => (await OperationAsync("endless", cancellation)).State == OperationState.Cancelled, "it ends", cancellation);
        var status = await client.Hosts.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);
        var listed = await client.Operations.ListOperationsAsync(new ListOperationsRequest(), cancellationToken: cancellation);

        Assert.Multiple(() =>
        {
            Assert.That((stage.Code, stage.Reason), Is.EqualTo((StatusCode.ResourceExhausted, "DISK_FULL")));
            Assert.That((upload.Code, upload.Reason), Is.EqualTo((StatusCode.ResourceExhausted, "DISK_FULL")));
            Assert.That(Directory.GetFiles(Path.Combine(agent.Host.Data, "uploads", "demo")), Has.Length.EqualTo(1), "the archive that waits to be staged");
            Assert.That(Directory.GetDirectories(Path.Combine(agent.Host.Data, "releases", "demo")), Has.Length.EqualTo(1));
            Assert.That(status.Releases.Single().Release_, Is.EqualTo(release));
            Assert.That(status.Warnings, Has.Some.Contains("the journal cannot be written").And.Some.Contains("1 operations"));
            Assert.That(listed.Operations.Single(o => o.Ref.Id == "endless").State, Is.EqualTo(OperationState.Cancelled));
            Assert.That(agent.Host.Agent.Output, Does.Contain("The end of operation endless").And.Contain("could not be journaled"));
            Assert.That(agent.Host.Agent.HasExited, Is.False);
        });
        Assert.That(await agent.ServesAsync(cancellation), Is.True);
        var health = new Health.HealthClient(agent.Host.Channel);
        await Eventually.TrueAsync(
            async () => (await health.CheckAsync(new HealthCheckRequest(), cancellationToken: cancellation)).Status == HealthCheckResponse.Types.ServingStatus.NotServing,
            "the health service says that the agent cannot work",
            cancellation);

        disk.Free();
        var staged = await client.StageAsync("demo", next, archive, cancellation);
        status = await client.Hosts.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);
        await agent.Host.KillAgentAsync();
        await agent.Host.StartAgentAsync(cancellation);

        Assert.That(staged.Unchanged, Is.False);
        Assert.That(status.Warnings, Has.None.Contains("the journal"));
        Assert.That((await OperationAsync("endless", cancellation)).State, Is.EqualTo(OperationState.Cancelled), "written as soon as there was room");
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_disk_that_runs_full_in_the_middle_of_an_upload_or_a_stage_gets_back_what_they_took(CancellationToken cancellation)
    {
        var (archive, release) = await agent.BuildAsync("1.0.0", cancellation);
        using (var upload = agent.Client.Releases.Upload(cancellationToken: cancellation))
        {
            await upload.RequestStream.WriteAsync(
                new UploadRequest { Header = new UploadHeader { App = "demo", Release = release, TotalBytes = (ulong)archive.Length } }, cancellation);
            await upload.RequestStream.WriteAsync(new UploadRequest { Data = ByteString.CopyFrom(archive, 0, 500_000) }, cancellation);
            var partial = Path.Combine(agent.Host.Data, "uploads", "demo", $"{release.Digest}.part");
            await Eventually.TrueAsync(() => Task.FromResult(File.Exists(partial) && new FileInfo(partial).Length == 500_000), "the first piece came", cancellation);
            disk.Fill();
            var error = await AgentClient.ErrorAsync(async () =>
            {
                foreach (var piece in archive[500_000..].Chunk(200_000)) await upload.RequestStream.WriteAsync(new UploadRequest { Data = ByteString.CopyFrom(piece) }, cancellation);
                await upload.RequestStream.CompleteAsync();
                await upload;
            });
            // What a client's send breaks off with depends on how much of it was under way.
            if (error.Reason != "DISK_FULL") error = await AgentClient.ErrorAsync(async () => await upload);
            Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.ResourceExhausted, "DISK_FULL")));
            await Eventually.TrueAsync(() => Task.FromResult(!Directory.EnumerateFiles(Path.Combine(agent.Host.Data, "uploads"), "*", SearchOption.AllDirectories).Any()), "nothing is left", cancellation);
        }

        disk.Free();
        var large = LargeRelease(megabytes: 120);
        var announced = AgentClient.Announce("2.0.0", large);
        var refused = await AgentClient.ErrorAsync(() => agent.Client.StageAsync("demo", announced, large, cancellation));

        Assert.That((refused.Code, refused.Reason), Is.EqualTo((StatusCode.ResourceExhausted, "DISK_FULL")));
        Assert.That(Directory.Exists(Path.Combine(agent.Host.Data, "releases", "demo")), Is.False);
        Assert.That((await agent.Client.StageAsync("demo", release, archive, cancellation)).Unchanged, Is.False);
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task On_a_full_disk_an_agent_starts_takes_over_what_runs_and_starts_again_what_died_when_there_is_room(CancellationToken cancellation)
    {
        await agent.StartReleaseAsync(cancellation);
        var pid = (await agent.Client.Hosts.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation)).Instances.Single().Pid;
        await agent.Host.KillAgentAsync();
        disk.Fill();
        await agent.Host.StartAgentAsync(cancellation);
        var adopted = await agent.Client.Hosts.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);
        await agent.Host.KillAgentAsync();
        using (var release = System.Diagnostics.Process.GetProcessById((int)pid)) release.Kill();
        await agent.Host.StartAgentAsync(cancellation);
        var dead = await agent.Client.Hosts.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);

        disk.Free();
        await Eventually.TrueAsync(() => agent.ServesAsync(cancellation), "it is started again", cancellation);

        Assert.That(adopted.Instances.Single().Pid, Is.EqualTo(pid));
        Assert.That(dead.Instances.Single().Pid, Is.Not.EqualTo(pid));
        Assert.That(dead.ReadOnly, Is.Null);
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_damaged_database_on_a_full_disk_keeps_no_agent_from_starting_and_saying_so(CancellationToken cancellation)
    {
        await agent.StartReleaseAsync(cancellation);
        await agent.Host.KillAgentAsync();
        using (var file = new FileStream(Path.Combine(agent.Host.Data, "agent.db"), FileMode.Open, FileAccess.ReadWrite)) file.SetLength(file.Length / 2);
        disk.Fill();
        await agent.Host.StartAgentAsync(cancellation);
        var status = await agent.Client.Hosts.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);

        Assert.That(status.ReadOnly.Reason, Does.Contain("ends behind page"));
        Assert.That(File.Exists(status.ReadOnly.KeptAs), Is.True, "a rename needs no room");
        Assert.That(status.Instances.Single().Pid, Is.Not.Zero);
        Assert.That(await agent.ServesAsync(cancellation), Is.True);
    }

    /// <summary>An archive that unpacks to a hundred times its size: a block of noise, again and again.</summary>
    private static byte[] LargeRelease(int megabytes)
    {
        var block = new byte[300];
        new Random(1).NextBytes(block);
        var content = new byte[megabytes << 20];
        for (var i = 0; i + block.Length <= content.Length; i += block.Length)
        {
            block[i / block.Length % block.Length] ^= (byte)(i >> 8);
            block.CopyTo(content, i);
        }

        using var result = new MemoryStream();
        using (var zipped = new GZipStream(result, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(zipped, TarEntryFormat.Pax))
        {
            void Add(string name, byte[] bytes) => tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name)
            {
                DataStream = new MemoryStream(bytes),
                Mode = (UnixFileMode)0b111_101_101,
            });
            Add("bin/demo", "#!/bin/sh\n"u8.ToArray());
            Add("releases/start_erl.data", "13.1.5 2.0.0"u8.ToArray());
            Add("lib/large", content);
        }

        return result.ToArray();
    }

    private async Task<Operation> OperationAsync(string id, CancellationToken cancellation)
        => await agent.Client.Operations.GetOperationAsync(new GetOperationRequest { Id = id }, cancellationToken: cancellation);
}
