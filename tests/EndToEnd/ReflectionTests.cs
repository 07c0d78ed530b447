using Decant.EndToEnd.Harness;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Reflection.V1Alpha;

namespace Decant.EndToEnd;

/// <summary>What tools such as grpcurl rest on. Native AOT could have trimmed it away.</summary>
public class ReflectionTests
{
    private LoneAgent agent = null!;

    [OneTimeSetUp]
    public async Task StartAgent() => agent = await LoneAgent.StartAsync(CancellationToken.None);

    [OneTimeTearDown]
    public async Task StopAgent() => await agent.DisposeAsync();

    [Test]
    [CancelAfter(60_000)]
    public async Task The_agent_lists_its_services_and_describes_every_method(CancellationToken cancellation)
    {
        using var call = new ServerReflection.ServerReflectionClient(agent.Host.Channel).ServerReflectionInfo(cancellationToken: cancellation);
        var listed = await AskAsync(call, new ServerReflectionRequest { ListServices = "*" }, cancellation);
        var names = listed.ListServicesResponse.Service.Select(s => s.Name).ToList();
        Assert.That(names, Is.SupersetOf(Contract.Services.Select(s => s.FullName).Append("grpc.health.v1.Health")));

        foreach (var service in Contract.Services)
        {
            var described = await AskAsync(call, new ServerReflectionRequest { FileContainingSymbol = service.FullName }, cancellation);
            var files = described.FileDescriptorResponse.FileDescriptorProto.Select(FileDescriptorProto.Parser.ParseFrom).ToList();
            var methods = files.SelectMany(f => f.Service).Single(s => s.Name == service.Name).Method;
            Assert.That(methods.Select(m => m.Name), Is.EqualTo(service.Methods.Select(m => m.Name)));
            // A tool builds messages from the files alone, so all that they import must be there too.
            Assert.That(files.Select(f => f.Name), Is.SupersetOf(files.SelectMany(f => f.Dependency).Distinct()));
        }
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task The_agent_is_serving_by_the_health_service(CancellationToken cancellation)
    {
        var health = new Health.HealthClient(agent.Host.Channel);

        var whole = await health.CheckAsync(new HealthCheckRequest(), cancellationToken: cancellation);

        Assert.That(whole.Status, Is.EqualTo(HealthCheckResponse.Types.ServingStatus.Serving));
    }

    private static async Task<ServerReflectionResponse> AskAsync(
        AsyncDuplexStreamingCall<ServerReflectionRequest, ServerReflectionResponse> call, ServerReflectionRequest request, CancellationToken cancellation)
    {
        await call.RequestStream.WriteAsync(request, cancellation);
        Assert.That(await call.ResponseStream.MoveNext(cancellation), Is.True);
        return call.ResponseStream.Current;
    }
}
