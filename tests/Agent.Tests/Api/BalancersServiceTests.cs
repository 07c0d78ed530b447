using Decant.Agent.Api;
using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Agent.Tests.Balancers;
using Decant.Errors;
using Decant.Names;
using Decant.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Decant.Agent.Tests.Api;

internal sealed class BalancersServiceTests
{
    [Test]
    public async Task A_member_goes_out_and_back_by_the_contract_and_a_repetition_is_the_same_operation()
    {
        await using var one = new TestMember("web1");
        await using var two = new TestMember("web2");
        await using var haproxy = await RealHaproxy.StartAsync([one, two]);
        await using var api = await ServeAsync(("edge", haproxy.Socket), ("gone", "/nowhere/admin.sock"));
        var client = new V1.Balancers.BalancersClient(api.Channel);
        var drain = new DrainRequest
        {
            Operation = new() { Id = "d1/lb/drain-web1", DeploymentId = "d1" },
            Balancer = "edge",
            Backend = "shop",
            Member = "web1",
            App = "shop",
            MinOthersUp = 1,
        };

        var drained = await EventsAsync(client.Drain(drain));
        var repeated = await EventsAsync(client.Drain(drain));
        var backend = await client.GetBackendAsync(new GetBackendRequest { Balancer = "edge", Backend = "shop" });
        var undrained = await EventsAsync(client.Undrain(new UndrainRequest { Operation = new() { Id = "u" }, Balancer = "edge", Backend = "shop", Member = "web1" }));
        var maintenance = await EventsAsync(client.Maintenance(new MaintenanceRequest { Operation = new() { Id = "m" }, Balancer = "edge", Backend = "shop", Member = "web1" }));
        var balancers = await client.ListBalancersAsync(new ListBalancersRequest());

        using (Assert.EnterMultipleScope())
        {
            Assert.That(drained[^1].Finished.State, Is.EqualTo(OperationState.Succeeded));
            Assert.That(drained[^1].Finished.Member, Is.EqualTo("edge/shop/web1"));
            Assert.That(drained[^1].Finished.Result.Drain.SessionsLeft, Is.Zero);
            Assert.That(repeated, Is.EqualTo(drained));
            Assert.That(backend.Members.Select(m => m.State), Is.EqualTo(new[] { V1.MemberState.Draining, V1.MemberState.Ready }));
            Assert.That(undrained[^1].Finished.Result.Undrain.Status, Is.EqualTo("UP"));
            Assert.That(maintenance[^1].Finished.State, Is.EqualTo(OperationState.Succeeded));
            Assert.That(balancers.Balancers[0].Backends, Is.EqualTo(new[] { "shop", "other" }));
            Assert.That(balancers.Balancers[0].Version, Is.Not.Empty);
            Assert.That(balancers.Balancers[1].Version, Is.Empty);
            Assert.That(balancers.Balancers[1].Problem, Does.Contain("/nowhere/admin.sock is not there"));
        }
    }

    [Test]
    public async Task Every_wrong_field_is_named_at_once()
    {
        await using var api = await ServeAsync();
        var client = new V1.Balancers.BalancersClient(api.Channel);

        var error = await ErrorAsync(client.Drain(new DrainRequest
        {
            Operation = new(),
            Balancer = "Edge",
            Backend = "sh op",
            Member = "",
            Deadline = Duration.FromTimeSpan(TimeSpan.FromMicroseconds(1)),
            MinOthersUp = 1_000_000,
        }));

        Assert.That(error.Reason, Is.EqualTo("BAD_REQUEST"));
        Assert.That(error.Fields.Select(f => f.Field), Is.EquivalentTo(new[] { "operation.id", "balancer", "backend", "member", "deadline", "min_others_up" }));
    }

    [Test]
    public async Task A_balancer_that_agent_yml_does_not_name_is_not_found()
    {
        await using var api = await ServeAsync(("edge", "/nowhere"));
        var client = new V1.Balancers.BalancersClient(api.Channel);

        var error = await ErrorAsync(client.Drain(new DrainRequest { Operation = new() { Id = "d" }, Balancer = "edgy", Backend = "shop", Member = "web1" }));

        Assert.That((error.Code, error.Reason), Is.EqualTo((StatusCode.NotFound, "BALANCER_NOT_FOUND")));
        Assert.That(error.Message, Does.EndWith("there are: edge"));
    }

    private static Task<ServedApi> ServeAsync(params (string Name, string Socket)[] balancers)
        => ServedApi.StartAsync(
            services => services
                .AddSingleton(new AgentConfiguration
                {
                    Balancers = balancers.ToDictionary(b => BalancerName.Parse(b.Name), BalancerSettings (b) => new BalancerSettings.Haproxy(b.Socket, MemberManagement.Fixed, "")),
                })
                .AddSingleton<AgentCheckStore>()
                .AddSingleton(p => new AgentCheckDesk(p.GetRequiredService<AgentCheckStore>(), () => [], [], TimeProvider.System))
                .AddSingleton<HostBalancers>(),
            app => app.MapGrpcService<BalancersService>());

    private static async Task<List<OperationEvent>> EventsAsync(AsyncServerStreamingCall<OperationEvent> call)
    {
        using (call) return await call.ResponseStream.ReadAllAsync().ToListAsync();
    }

    private static async Task<OperatorError> ErrorAsync(AsyncServerStreamingCall<OperationEvent> call)
    {
        var exception = await Assert.ThrowsAsync<RpcException>(async () => await EventsAsync(call));
        return OperatorError.FromRpc(exception!);
    }
}
