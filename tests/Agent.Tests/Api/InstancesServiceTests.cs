using Decant.Agent.Api;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;

namespace Decant.Agent.Tests.Api;

/// <summary>What the calls about instances promise beyond what their parts do, on a real release.</summary>
[Parallelizable(ParallelScope.Self)]
public class InstancesServiceTests
{
    private AgentHost host = null!;
    private ServedApi api = null!;
    private V1.Instances.InstancesClient client = null!;

    [OneTimeSetUp]
    public async Task Open()
    {
        host = await AgentHost.CreateAsync();
        api = await ServedApi.StartAsync(services => host.AddTo(services), app => app.MapGrpcService<InstancesService>());
        client = new V1.Instances.InstancesClient(api.Channel);
    }

    [OneTimeTearDown]
    public async Task Close()
    {
        await api.DisposeAsync();
        await host.DisposeAsync();
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Two_migrations_of_an_app_never_run_at_once_and_a_repeated_one_not_at_all(CancellationToken cancellation)
    {
        // Fails if another is between its first and its last step.
        var room = Path.Combine(host.Path, "room");
        var expression = $"File.mkdir!(\"{room}\"); IO.puts(\"alone\"); Process.sleep(300); File.rmdir!(\"{room}\")";

        var both = await Task.WhenAll(MigrateAsync("op-1", "d1", expression, cancellation), MigrateAsync("op-2", "d2", expression, cancellation));
        var sameCall = await MigrateAsync("op-1", "d1", expression, cancellation);
        var sameDeployment = await MigrateAsync("op-3", "d1", expression, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(both.Select(events => events[^1].Finished.State), Is.All.EqualTo(V1.OperationState.Succeeded));
            Assert.That(both.SelectMany(events => events).Count(e => e.Output?.Text == "alone"), Is.EqualTo(2));
            Assert.That(both.SelectMany(events => events).Count(e => e.Message == "waiting for another operation on migrate/demo to end"), Is.EqualTo(1));
            Assert.That(sameCall.Select(e => e.Sequence), Is.EqualTo(both[0].Select(e => e.Sequence)), "the first one's events again");
            Assert.That(sameDeployment[^1].Finished.Result.Unchanged, Is.True);
            Assert.That(sameDeployment, Has.None.Matches<V1.OperationEvent>(e => e!.EventCase == V1.OperationEvent.EventOneofCase.Output));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_migration_without_a_deployment_or_an_expression_is_refused_with_both_fields(CancellationToken cancellation)
    {
        var request = Request("op-4", "", "");

        var error = Assert.ThrowsAsync<RpcException>(async () =>
        {
            using var call = client.Migrate(request, cancellationToken: cancellation);
            await call.ResponseStream.MoveNext(cancellation);
        });

        Assert.That(
            Errors.OperatorError.FromRpc((await error)!).Fields.Select(f => f.Field), Is.EquivalentTo(new[] { "operation.deployment_id", "expression" }));
    }

    private V1.MigrateRequest Request(string operation, string deployment, string expression) => new()
    {
        Operation = new V1.OperationRef { Id = operation, DeploymentId = deployment },
        App = "demo",
        Slot = "main",
        Release = new V1.ReleaseRef { Version = host.Two.Id.Version.Value, Digest = host.Two.Id.Digest.Value },
        Spec = new V1.SlotSpec { Port = 4000 },
        Expression = expression,
        Timeout = Duration.FromTimeSpan(TimeSpan.FromSeconds(60)),
    };

    private async Task<List<V1.OperationEvent>> MigrateAsync(string operation, string deployment, string expression, CancellationToken cancellation)
    {
        using var call = client.Migrate(Request(operation, deployment, expression), cancellationToken: cancellation);
        var events = new List<V1.OperationEvent>();
        await foreach (var item in call.ResponseStream.ReadAllAsync(cancellation)) events.Add(item);
        return events;
    }
}
