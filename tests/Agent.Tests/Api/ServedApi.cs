using System.Net.Sockets;
using Decant.Agent.Api;
using Decant.Agent.Configuration;
using Decant.Agent.Hosting;
using Decant.Agent.Leases;
using Decant.Agent.Operations;
using Decant.Agent.State;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Decant.Agent.Tests.Api;

/// <summary>A service behind a real Kestrel on a unix socket, with the journal and runner of an agent, called as any gRPC client calls it.</summary>
internal sealed class ServedApi : IAsyncDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly AgentDatabase database;
    private readonly WebApplication app;

    private ServedApi(Action<IServiceCollection> services, Action<WebApplication> map)
    {
        database = AgentDatabase.Open(directory["agent.db"]);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k =>
        {
            k.ListenUnixSocket(directory["agent.sock"], l => l.Protocols = HttpProtocols.Http2);
            ListenerLimits.Set(k.Limits);
        });
        builder.Services.AddGrpc(g => g.Interceptors.Add<ErrorInterceptor>());
        builder.Services
            .AddSingleton(new AgentIdentity("web1", DateTimeOffset.UtcNow))
            .AddSingleton(TimeProvider.System)
            .AddSingleton(database)
            .AddSingleton(new OperationJournal(database, 100))
            .AddSingleton<LeaseStore>()
            .AddSingleton(p => p.GetRequiredService<LeaseStore>().Open(TimeProvider.System))
            .AddSingleton<OperationRunner>()
            .AddSingleton<EarlierOperations>()
            .AddSingleton<OperationFollowers>()
            .AddSingleton<OperationCalls>();
        services(builder.Services);
        app = builder.Build();
        map(app);
        Channel = GrpcChannel.ForAddress("http://agent", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                EnableMultipleHttp2Connections = true,
                ConnectCallback = async (_, cancellation) =>
                {
                    var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(directory["agent.sock"]), cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                },
            },
        });
    }

    public GrpcChannel Channel { get; }

    public T Get<T>()
        where T : notnull
        => app.Services.GetRequiredService<T>();

    public static async Task<ServedApi> StartAsync(Action<IServiceCollection> services, Action<WebApplication> map)
    {
        var served = new ServedApi(services, map);
        await served.app.StartAsync();
        return served;
    }

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        await app.DisposeAsync();
        database.Dispose();
        directory.Dispose();
    }
}
