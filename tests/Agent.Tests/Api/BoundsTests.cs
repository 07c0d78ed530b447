using Decant.Agent.Api;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Agent.Tests.Releases;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Decant.Agent.Tests.Api;

/// <summary>What callers can take of the agent's memory, streams and descriptors is bounded, whatever they do.</summary>
internal sealed class BoundsTests
{
    private StoreRoom room = null!;
    private ServedApi api = null!;
    private V1.Operations.OperationsClient operations = null!;

    private OperationRunner Runner => api.Get<OperationRunner>();

    [SetUp]
    public async Task Serve()
    {
        room = new StoreRoom();
        api = await ServedApi.StartAsync(
            services => services.AddSingleton(room.Store).AddSingleton(room.Uploads).AddSingleton<IReleaseUse>(room),
            app =>
            {
                app.MapGrpcService<OperationsService>();
                app.MapGrpcService<ReleasesService>();
            });
        operations = new V1.Operations.OperationsClient(api.Channel);
    }

    [TearDown]
    public async Task Stop()
    {
        await api.DisposeAsync();
        room.Dispose();
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_client_that_opens_too_many_streams_is_refused_and_one_that_ends_makes_room(CancellationToken cancellation)
    {
        var open = new List<AsyncServerStreamingCall<V1.Operation>>();
        try
        {
            for (var i = 0; i < OperationFollowers.Most; i++)
            {
                open.Add(operations.WatchOperations(new V1.WatchOperationsRequest(), cancellationToken: cancellation));
                _ = open[i].ResponseStream.MoveNext(cancellation);
            }

            await Balancers.Eventually.TrueAsync(() => IsFull(), "all of them are let in");
            using var more = operations.WatchOperations(new V1.WatchOperationsRequest(), cancellationToken: cancellation);
            var error = OperatorError.FromRpc((await Assert.ThrowsAsync<RpcException>(() => more.ResponseStream.MoveNext(cancellation)))!);

            Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.ResourceExhausted, "TOO_MANY_FOLLOWERS")));
            open[0].Dispose();
            await Balancers.Eventually.TrueAsync(() => !IsFull(), "one that ends makes room");
        }
        finally
        {
            foreach (var call in open) call.Dispose();
        }
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_follower_that_does_not_read_takes_no_memory_while_an_operation_prints_without_end(CancellationToken cancellation)
    {
        const int Lines = 40_000;
        const int LineLength = 4_000;
        var go = new TaskCompletionSource();
        var operation = Runner.Begin(Request("talks"), async (report, stop) =>
        {
            await go.Task.WaitAsync(stop);
            for (var i = 0; i < Lines; i++) report.Output(new OutputLine(new string((char)('a' + (i % 26)), LineLength), IsError: false));
            return new Done();
        });
        using var follower = operations.WatchOperation(new V1.WatchOperationRequest { Id = "talks" }, cancellationToken: cancellation);
        Assert.That(await follower.ResponseStream.MoveNext(cancellation), Is.True);
        var before = GC.GetTotalMemory(forceFullCollection: true);

        go.SetResult();
        await Balancers.Eventually.TrueAsync(() => operation.Record.State == OperationState.Succeeded, "it ends");
        var held = GC.GetTotalMemory(forceFullCollection: true) - before;
        var kept = operation.Newest(int.MaxValue);
        var (received, last) = (0, new V1.OperationEvent());
        await foreach (var item in follower.ResponseStream.ReadAllAsync(cancellation)) (received, last) = (received + 1, item);

        await TestContext.Out.WriteLineAsync($"{(long)Lines * LineLength >> 20} MiB were printed; held: {held >> 10} KiB in {kept.Count} events; received when it read at last: {received}");
        Assert.That(kept.OfType<OutputReported>().Sum(e => e.Line.Text.Length), Is.LessThanOrEqualTo(OperationLog.MaxCharacters));
        // What LiteDB and the streams keep for their next use is among it, and does not grow with what is printed.
        Assert.That(held, Is.LessThan(40 << 20));
        Assert.That(received, Is.LessThan(5000));
        Assert.That(last.EventCase, Is.EqualTo(V1.OperationEvent.EventOneofCase.Finished), "the last one is always there");
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Only_so_many_operations_run_at_once(CancellationToken cancellation)
    {
        var go = new TaskCompletionSource<OperationResult>();
        for (var i = 0; i < OperationRunner.Most; i++) Runner.Begin(Request($"op-{i}"), (_, stop) => go.Task.WaitAsync(stop));

        var refused = Assert.Throws<OperatorException>(() => Runner.Begin(Request("more"), (_, _) => go.Task));
        var known = Runner.Begin(Request("op-7"), (_, _) => go.Task);

        Assert.That(refused!.Error.Reason, Is.EqualTo("TOO_MANY_OPERATIONS"));
        Assert.That(Runner.Find(OperationId.Parse("more")), Is.Null, "it was not begun");
        Assert.That(known.Record.State, Is.EqualTo(OperationState.Running), "a repetition begins nothing");
        go.SetResult(new Done());
        await Balancers.Eventually.TrueAsync(() => Runner.Running().Count == 0, "they end");
        Assert.That(() => Runner.Begin(Request("more"), (_, _) => go.Task), Throws.Nothing);
        cancellation.ThrowIfCancellationRequested();
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Only_so_many_uploads_are_received_at_once(CancellationToken cancellation)
    {
        var uploads = new List<ReleaseUpload>();
        try
        {
            for (var i = 0; i < ReleaseUploads.Most; i++) uploads.Add(await room.Uploads.BeginAsync(FakeRelease.Shop, Digest(i), 1000, 0, cancellation));
            using var call = new V1.Releases.ReleasesClient(api.Channel).Upload(cancellationToken: cancellation);
            await call.RequestStream.WriteAsync(
                new V1.UploadRequest
                {
                    Header = new V1.UploadHeader { App = "shop", Release = new V1.ReleaseRef { Version = "1.0.0", Digest = Digest(99).Value }, TotalBytes = 1000 },
                },
                cancellation);

            var error = OperatorError.FromRpc((await Assert.ThrowsAsync<RpcException>(async () => await call))!);

            Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.ResourceExhausted, "TOO_MANY_UPLOADS")));
        }
        finally
        {
            foreach (var upload in uploads) await upload.DisposeAsync();
        }
    }

    private bool IsFull()
    {
        try
        {
            api.Get<OperationFollowers>().Enter().Dispose();
            return false;
        }
        catch (OperatorException)
        {
            return true;
        }
    }

    private static Sha256Digest Digest(int number) => Sha256Digest.Parse(number.ToString("x64", System.Globalization.CultureInfo.InvariantCulture));

    private static OperationRequest Request(string id) => new(
        OperationId.Parse(id), null, OperationKind.Evaluate, new OperationSubject(AppName.Parse("shop")), "f", Exclusive: null);
}
