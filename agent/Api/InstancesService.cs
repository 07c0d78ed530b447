using Decant.Agent.Elixir;
using Decant.Agent.Health;
using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Names;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>decant.v1.Instances: start, stop, look, and what a release is asked through its own script.</summary>
internal sealed partial class InstancesService(
    InstanceRegistry instances,
    ReleaseStore releases,
    Preflight preflight,
    Migrations migrations,
    HealthWait healthWait,
    ReleaseScript script,
    LogFollowers followers,
    IHostApplicationLifetime lifetime,
    OperationCalls calls) : V1.Instances.InstancesBase
{
    private const uint MaxTail = 10_000;
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <inheritdoc/>
    public override Task Start(V1.StartRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var key = InstanceMapping.ReadKey(reader, request.App, request.Slot);
        var release = reader.Release("release", request.Release);
        var spec = InstanceMapping.ReadSpec(reader, request.Spec, key);
        var health = InstanceMapping.ReadHealth(reader, request.Health);
        var operation = Operation(reader, request, request.Operation, OperationKind.Start, key, release, $"app/{request.App}");
        reader.ThrowIfWrong();

        var wanted = new InstanceRecord(key, Wanted: true, release, spec, health, operation.Deployment, 0, null);
        return calls.RunAsync(
            operation,
            async (report, cancellation) =>
            {
                releases.Get(key.App, release.Version, release.Digest);
                return await instances.GetOrAdd(wanted with { Wanted = false }).StartAsync(wanted, report, cancellation);
            },
            responseStream,
            context);
    }

    /// <inheritdoc/>
    public override Task Stop(V1.StopRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var key = InstanceMapping.ReadKey(reader, request.App, request.Slot);
        var deadlines = ReadDeadlines(reader, request.ScriptTimeout, request.TermTimeout);
        var operation = Operation(reader, request, request.Operation, OperationKind.Stop, key, null, $"app/{request.App}");
        reader.ThrowIfWrong();

        return calls.RunAsync(
            operation,
            async (report, cancellation) => instances.TryGet(key) is { } slot
                ? await slot.StopAsync(deadlines, request.GoneBackFrom, report, cancellation)
                : new Stopped(StopMeans.NotRunning, TimeSpan.Zero, null),
            responseStream,
            context);
    }

    /// <inheritdoc/>
    public override Task Retire(V1.RetireRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var key = InstanceMapping.ReadKey(reader, request.App, request.Slot);
        var keep = reader.Duration("keep", request.Keep, TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromDays(30));
        var deadlines = ReadDeadlines(reader, request.ScriptTimeout, request.TermTimeout);
        var operation = Operation(reader, request, request.Operation, OperationKind.Retire, key, null, $"app/{request.App}");
        reader.ThrowIfWrong();

        return calls.RunAsync(
            operation,
            async (report, cancellation) => instances.TryGet(key) is { } slot
                ? await slot.RetireAsync(keep, deadlines, report, cancellation)
                : new Done(Unchanged: true),
            responseStream,
            context);
    }

    /// <inheritdoc/>
    public override Task Keep(V1.KeepRequest request, IServerStreamWriter<V1.OperationEvent> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var key = InstanceMapping.ReadKey(reader, request.App, request.Slot);
        var operation = Operation(reader, request, request.Operation, OperationKind.Keep, key, null, $"app/{request.App}");
        reader.ThrowIfWrong();

        return calls.RunAsync(
            operation,
            async (_, cancellation) => await (instances.TryGet(key) ?? throw InstanceErrors.NotRunning(key)).KeepAsync(cancellation),
            responseStream,
            context);
    }

    /// <inheritdoc/>
    public override Task<V1.Instance> GetInstance(V1.GetInstanceRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var key = InstanceMapping.ReadKey(reader, request.App, request.Slot);
        reader.ThrowIfWrong();
        return Task.FromResult(InstanceMapping.ToMessage(instances.Get(key).Snapshot()));
    }

    /// <inheritdoc/>
    public override Task<V1.ListInstancesResponse> ListInstances(V1.ListInstancesRequest request, ServerCallContext context)
    {
        var reader = new RequestReader();
        var app = reader.Optional<AppName>("app", request.App, AppName.TryParse);
        reader.ThrowIfWrong();
        var found = instances.All().Where(s => app is null || s.Key.App == app).Select(s => InstanceMapping.ToMessage(s.Snapshot()));
        return Task.FromResult(new V1.ListInstancesResponse { Instances = { found } });
    }

    /// <inheritdoc/>
    public override async Task Logs(V1.LogsRequest request, IServerStreamWriter<V1.LogLine> responseStream, ServerCallContext context)
    {
        var reader = new RequestReader();
        var key = InstanceMapping.ReadKey(reader, request.App, request.Slot);
        if (request.Tail > MaxTail) reader.Wrong("tail", $"{request.Tail} is more than {MaxTail}");
        reader.ThrowIfWrong();

        var log = instances.Log(key);
        var tail = request.Tail == 0 ? 100 : (int)request.Tail;
        if (!request.Follow)
        {
            foreach (var line in log.LastLines(tail)) await responseStream.WriteAsync(InstanceMapping.ToMessage(line, 0), context.CancellationToken);
            return;
        }

        using var follower = followers.Enter();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        await foreach (var (line, lost) in log.FollowAsync(tail, end.Token))
            await responseStream.WriteAsync(InstanceMapping.ToMessage(line, lost), context.CancellationToken);
    }

    private static StopDeadlines ReadDeadlines(RequestReader reader, Duration? script, Duration? term) => new(
        reader.Duration("script_timeout", script, TimeSpan.FromSeconds(30), Shortest, Day),
        reader.Duration("term_timeout", term, TimeSpan.FromSeconds(5), Shortest, Day));

    private static OperationRequest Operation(
        RequestReader reader,
        Google.Protobuf.IMessage request,
        V1.OperationRef? operation,
        OperationKind kind,
        InstanceKey key,
        ReleaseId? release,
        string? exclusive)
        => reader.Operation(request, operation, kind, new OperationSubject(key.App, key.Slot, release), exclusive);
}
