using System.Diagnostics;
using Decant.EndToEnd.Harness;
using Decant.Errors;
using Decant.V1;
using Grpc.Core;

namespace Decant.EndToEnd;

public class AgentStopTests
{
    [Test]
    [CancelAfter(180_000)]
    public async Task An_agent_that_is_stopped_ends_soon_tells_every_open_stream_why_and_leaves_its_releases(CancellationToken cancellation)
    {
        await using var agent = await LoneAgent.StartAsync(cancellation);
        await agent.StartReleaseAsync(cancellation);
        var client = agent.Client;
        using var logs = client.Instances.Logs(new LogsRequest { App = "demo", Slot = "main", Follow = true }, cancellationToken: cancellation);
        using var all = client.Operations.WatchOperations(new WatchOperationsRequest(), cancellationToken: cancellation);
        using var work = client.Instances.Evaluate(
            new EvaluateRequest
            {
                Operation = AgentClient.NewOperation("endless", "d1"),
                App = "demo",
                Slot = "main",
                Expression = "IO.puts(\"evaluating\"); Process.sleep(:infinity)",
            },
            cancellationToken: cancellation);
        var begun = new TaskCompletionSource();
        var ofWork = EventsAsync(work.ResponseStream, begun, cancellation);
        await begun.Task.WaitAsync(cancellation);
        using var one = client.Operations.WatchOperation(new WatchOperationRequest { Id = "endless" }, cancellationToken: cancellation);
        var ofOne = EventsAsync(one.ResponseStream, new TaskCompletionSource(), cancellation);
        using var health = new Grpc.Health.V1.Health.HealthClient(agent.Host.Channel).Watch(new Grpc.Health.V1.HealthCheckRequest(), cancellationToken: cancellation);
        Assert.That(await health.ResponseStream.MoveNext(cancellation), Is.True);
        var ofAll = ErrorOfAsync(all.ResponseStream, cancellation);
        var ofLogs = ErrorOfAsync(logs.ResponseStream, cancellation);
        var (archive, _) = await agent.BuildAsync("1.1.0", cancellation);
        var second = AgentClient.Announce("1.1.0", archive);
        using var upload = client.Releases.Upload(cancellationToken: cancellation);
        await upload.RequestStream.WriteAsync(Header(second, archive, 0), cancellation);
        await upload.RequestStream.WriteAsync(new UploadRequest { Data = Google.Protobuf.ByteString.CopyFrom(archive, 0, 100_000) }, cancellation);
        var partial = Path.Combine(agent.Host.Data, "uploads", "demo", $"{second.Digest}.part");
        await Eventually.TrueAsync(() => Task.FromResult(File.Exists(partial) && new FileInfo(partial).Length == 100_000), "the first piece came", cancellation);

        var clock = Stopwatch.StartNew();
        await agent.Host.Agent.SignalAsync("TERM");
        var exitCode = await agent.Host.Agent.WaitForExitAsync(cancellation);
        var elapsed = clock.Elapsed;
        await TestContext.Progress.WriteLineAsync($"the agent ended {elapsed.TotalMilliseconds:0} ms after SIGTERM");
        var uploadError = await AgentClient.ErrorAsync(async () => await upload);

        Assert.Multiple(() =>
        {
            Assert.That(exitCode, Is.Zero, agent.Host.Agent.Output);
            // The host's own limit is 30 s; usually it takes less than one.
            Assert.That(elapsed, Is.LessThan(TimeSpan.FromSeconds(15)));
            Assert.That((uploadError.Code, uploadError.Reason), Is.EqualTo((StatusCode.Unavailable, "AGENT_STOPPING")));
        });
        foreach (var error in (OperatorError[])[await ofAll, await ofLogs])
        {
            Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.Unavailable, "AGENT_STOPPING")));
            Assert.That(error.Facts["host"], Is.EqualTo("web1"));
        }

        var (events, failure) = await ofWork;
        Assert.That(events[^1].Finished.State, Is.EqualTo(OperationState.Interrupted));
        Assert.That(failure!.Reason, Is.EqualTo("OPERATION_INTERRUPTED"));
        (events, failure) = await ofOne;
        Assert.That(events[^1].Finished.State, Is.EqualTo(OperationState.Interrupted));
        Assert.That(failure, Is.Null, "watching succeeded");
        Assert.That(await agent.ServesAsync(cancellation), Is.True);

        await agent.Host.KillAgentAsync();
        await agent.Host.StartAgentAsync(cancellation);
        var journaled = await client.Operations.GetOperationAsync(new GetOperationRequest { Id = "endless" }, cancellationToken: cancellation);
        var uploaded = await client.Releases.GetUploadAsync(new GetUploadRequest { App = "demo", Release = second }, cancellationToken: cancellation);
        Assert.That(journaled.State, Is.EqualTo(OperationState.Interrupted));
        Assert.That(uploaded.Offset, Is.EqualTo(100_000), "what came is kept");
    }

    private static UploadRequest Header(ReleaseRef release, byte[] archive, ulong offset)
        => new() { Header = new UploadHeader { App = "demo", Release = release, TotalBytes = (ulong)archive.Length, Offset = offset } };

    private static async Task<(List<OperationEvent> Events, OperatorError? Failure)> EventsAsync(
        IAsyncStreamReader<OperationEvent> stream, TaskCompletionSource begun, CancellationToken cancellation)
    {
        var events = new List<OperationEvent>();
        try
        {
            await foreach (var item in stream.ReadAllAsync(cancellation))
            {
                events.Add(item);
                if (item.Output?.Text == "evaluating") begun.TrySetResult();
            }

            return (events, null);
        }
        catch (RpcException exception)
        {
            return (events, OperatorError.FromRpc(exception));
        }
    }

    private static Task<OperatorError> ErrorOfAsync<T>(IAsyncStreamReader<T> stream, CancellationToken cancellation)
        => AgentClient.ErrorAsync(async () =>
        {
            await foreach (var _ in stream.ReadAllAsync(cancellation))
            {
                // Whatever comes before the end.
            }
        });
}
