using Decant.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Decant.Controller.Tests.Fleet;

/// <summary>
/// A gRPC server on a unix socket that does what a test says: for what the way to an agent can do. What agents themselves do is
/// tested against the real one, end to end.
/// </summary>
internal sealed class ScriptedAgent : IAsyncDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("decant-agent-").FullName;
    private WebApplication? server;

    public string Socket => Path.Combine(directory, "agent.sock");

    public string FilePath(string name) => Path.Combine(directory, name);

    /// <summary>Bytes that arrived of an upload.</summary>
    public MemoryStream Received { get; } = new();

    /// <summary>Breaks the next upload off after this many bytes.</summary>
    public int BreakUploadAfter { get; set; } = int.MaxValue;

    public List<long> Offsets { get; } = [];

    public List<string> Cancelled { get; } = [];

    /// <summary>One for each cancellation that was asked for.</summary>
    public SemaphoreSlim CancelAsked { get; } = new(0);

    /// <summary>What a cancellation waits for.</summary>
    public Task BeforeCancel { get; set; } = Task.CompletedTask;

    public int Stops { get; set; }

    /// <summary>What the Stop call does.</summary>
    public Func<IServerStreamWriter<OperationEvent>, ServerCallContext, Task> OnStop { get; set; } = (_, _) => Task.CompletedTask;

    public async Task StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.ListenUnixSocket(Socket, l => l.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        server = builder.Build();
        server.MapGrpcService<ReleasesScript>();
        server.MapGrpcService<InstancesScript>();
        server.MapGrpcService<OperationsScript>();
        await server.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (server is not null) await server.DisposeAsync();
        Directory.Delete(directory, recursive: true);
        CancelAsked.Dispose();
        await Received.DisposeAsync();
    }

    private sealed class ReleasesScript(ScriptedAgent agent) : Releases.ReleasesBase
    {
        public override Task<UploadStatus> GetUpload(GetUploadRequest request, ServerCallContext context)
            => Task.FromResult(new UploadStatus { Offset = (ulong)agent.Received.Length });

        public override async Task<UploadStatus> Upload(IAsyncStreamReader<UploadRequest> requestStream, ServerCallContext context)
        {
            await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
            {
                if (request.Header is { } header) agent.Offsets.Add((long)header.Offset);
                agent.Received.Write(request.Data.Span);
                if (agent.Received.Length < agent.BreakUploadAfter) continue;
                agent.BreakUploadAfter = int.MaxValue;
                context.GetHttpContext().Abort();
                break;
            }

            return new UploadStatus { Offset = (ulong)agent.Received.Length, Complete = true };
        }

        public override Task Stage(StageRequest request, IServerStreamWriter<OperationEvent> responseStream, ServerCallContext context)
            => responseStream.WriteAsync(Finished(1, new OperationResult { Stage = new StageResult { Entries = 3 } }));
    }

    private sealed class InstancesScript(ScriptedAgent agent) : Instances.InstancesBase
    {
        public override Task Stop(StopRequest request, IServerStreamWriter<OperationEvent> responseStream, ServerCallContext context)
        {
            agent.Stops++;
            return agent.OnStop(responseStream, context);
        }
    }

    private sealed class OperationsScript(ScriptedAgent agent) : Operations.OperationsBase
    {
        public override async Task<Operation> CancelOperation(CancelOperationRequest request, ServerCallContext context)
        {
            agent.Cancelled.Add(request.Id);
            agent.CancelAsked.Release();
            await agent.BeforeCancel.WaitAsync(context.CancellationToken);
            return new Operation();
        }
    }

    public static OperationEvent Finished(ulong sequence, OperationResult result)
        => new() { Sequence = sequence, Finished = new Operation { State = OperationState.Succeeded, Result = result } };
}
