using Decant.Agent.Api;
using Decant.Agent.Balancers;
using Decant.Agent.Leases;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Agent.Tests.Api;
using Decant.EndToEnd.Harness;
using Decant.Errors;
using Decant.Names;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Decant.Agent.Tests.Leases;

/// <summary>Leases by the contract, against every call that there is.</summary>
[Parallelizable(ParallelScope.Self)]
internal sealed class LeasesServiceTests
{
    private AgentHost host = null!;
    private ServedApi api = null!;
    private V1.Leases.LeasesClient leases = null!;

    [OneTimeSetUp]
    public async Task Open()
    {
        host = await AgentHost.CreateAsync();
        var disk = DiskSpace.Real(host.Configuration.Limits);
        api = await ServedApi.StartAsync(
            services => host.AddTo(services)
                .AddSingleton(host.Configuration)
                .AddSingleton(host.Configuration.Limits)
                .AddSingleton(disk)
                .AddSingleton(new ReleaseDirectories(host.Configuration.DataDirectory))
                .AddSingleton<ReleaseUploads>()
                .AddSingleton<IReleaseUse>(new Agent.Instances.ReleaseUse(host.Store, new ReleaseDirectories(host.Configuration.DataDirectory)))
                .AddSingleton<AgentCheckStore>()
                .AddSingleton(p => new AgentCheckDesk(p.GetRequiredService<AgentCheckStore>(), () => [], [], TimeProvider.System))
                .AddSingleton<HostBalancers>(),
            app =>
            {
                app.MapGrpcService<OperationsService>();
                app.MapGrpcService<BalancersService>();
                app.MapGrpcService<ReleasesService>();
                app.MapGrpcService<InstancesService>();
                app.MapGrpcService<HostsService>();
                app.MapGrpcService<LeasesService>();
            });
        leases = new V1.Leases.LeasesClient(api.Channel);
    }

    [OneTimeTearDown]
    public async Task Close()
    {
        await api.DisposeAsync();
        await host.DisposeAsync();
    }

    /// <summary>Every call that changes something, by its descriptor: it carries a fencing token somewhere.</summary>
    private static IEnumerable<MethodDescriptor> Fenced => Contract.Methods.Where(m => Contract.Mutating.Contains(m) || m.Name is "Upload");

    [Test]
    [CancelAfter(120_000)]
    public async Task No_call_changes_an_app_under_a_lease_without_its_token_nor_with_an_older_one(CancellationToken cancellation)
    {
        string[] needNoLease = ["decant.v1.Instances.Evaluate", "decant.v1.Leases.Unlock"];
        var older = (await AcquireAsync("older", cancellation)).FencingToken;
        await leases.ReleaseLeaseAsync(new V1.ReleaseLeaseRequest { App = "shop", FencingToken = older }, cancellationToken: cancellation);
        var newest = (await AcquireAsync("newest", cancellation)).FencingToken;
        var begun = api.Get<OperationJournal>().List(null, null, 100).Count;
        Assert.That(Fenced.Count(), Is.GreaterThan(17), "the descriptors were read");

        foreach (var method in Fenced)
        {
            Assert.That((await RefusalAsync(method, "old", older, cancellation)).Reason, Is.EqualTo("LEASE_LOST"), method.FullName);
            Assert.That((await RefusalAsync(method, "none", newest + 1000, cancellation)).Reason, Is.EqualTo("LEASE_LOST"), $"{method.FullName}, with a token that nobody was given");
            if (needNoLease.Contains(method.FullName)) continue;
            var held = await RefusalAsync(method, "without", 0, cancellation);
            Assert.That((held.Code, held.Reason), Is.EqualTo((StatusCode.FailedPrecondition, "LEASE_HELD")), method.FullName);
            Assert.That(held.Message, Does.Contain("newest on ops1").And.Contain("at step \"stage shop\""), method.FullName);
        }

        Assert.That(api.Get<OperationJournal>().List(null, null, 100), Has.Count.EqualTo(begun), "nothing that was refused was begun");
        foreach (var method in Fenced.Where(m => m.Name is not "Unlock"))
            Assert.That((await RefusalAsync(method, "new", newest, cancellation)).Reason, Does.Not.StartWith("LEASE_"), $"{method.FullName}, with the newest token");
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_repetition_is_told_the_first_ones_result_whoever_holds_the_lease_now(CancellationToken cancellation)
    {
        var method = Contract.Mutating.Single(m => m.Name == "Stop");
        var request = Requests.Valid(method, "repeated", 4000);
        method.InputType.FindFieldByName("app").Accessor.SetValue(request, "shop");
        var first = await Contract.CallAsync(api.Channel.CreateCallInvoker(), method, request.ToByteArray(), cancellation);
        await AcquireAsync("later", cancellation);

        var again = await Contract.CallAsync(api.Channel.CreateCallInvoker(), method, request.ToByteArray(), cancellation);

        Assert.That(again, Is.EqualTo(first));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Whoever_takes_a_lease_waits_for_what_its_former_holder_began(CancellationToken cancellation)
    {
        var end = new TaskCompletionSource();
        var runner = api.Get<OperationRunner>();
        var former = await AcquireAsync("former", cancellation);
        Assert.That(FencingToken.TryRead(former.FencingToken, out var token), Is.True);
        var running = runner.Begin(
            new OperationRequest(OperationId.Parse("d1/web1/stop"), null, OperationKind.Stop, new OperationSubject(AppName.Parse("shop")), "f", null, token),
            async (_, stop) =>
            {
                await end.Task.WaitAsync(stop);
                return new Done();
            });
        var unlocked = await UnlockAsync("unlock-1", cancellation);

        var impatient = await Assert.ThrowsAsync<RpcException>(async () => await AcquireAsync("impatient", cancellation, TimeSpan.FromMilliseconds(50)));
        var patient = AcquireAsync("patient", cancellation);
        await Tests.Balancers.Eventually.TrueAsync(
            () => Task.FromResult(api.Get<LeaseBook>().List(null).Any(l => l is { Page.Lease.Holder.Id: "patient", Remaining: not null })), "the lease of the patient one");
        var held = await Assert.ThrowsAsync<RpcException>(async () => await AcquireAsync("third", cancellation));
        var early = patient.IsCompleted;
        end.SetResult();
        var lease = await patient;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(unlocked.Result.Unlock.FormerToken, Is.EqualTo(former.FencingToken));
            Assert.That(unlocked.Result.Unlock.FormerHolder, Does.StartWith("former on ops1"));
            Assert.That(unlocked.Kind, Is.EqualTo(V1.OperationKind.Unlock), "it is in the journal");
            Assert.That(OperatorError.FromRpc(impatient!).Reason, Is.EqualTo("OPERATIONS_RUNNING"));
            Assert.That(OperatorError.FromRpc(impatient!).Message, Does.Contain("d1/web1/stop"));
            Assert.That(OperatorError.FromRpc(held!).Reason, Is.EqualTo("LEASE_HELD"), "nobody else gets it meanwhile");
            Assert.That(early, Is.False);
            Assert.That(running.Record.State, Is.EqualTo(Agent.Operations.OperationState.Succeeded));
            Assert.That(lease.FencingToken, Is.GreaterThan(former.FencingToken));
            Assert.That(lease.Unlocked.Reason, Is.EqualTo("its laptop is closed"));
        }
    }

    private static V1.UploadHeader HeaderOf(IMessage request)
    {
        var header = ((V1.UploadRequest)request).Header;
        header.App = "shop";
        return header;
    }

    [TearDown]
    public async Task FreeLease() => await UnlockAsync($"tear-down/{Guid.NewGuid()}", CancellationToken.None);

    private async Task<V1.Lease> AcquireAsync(string id, CancellationToken cancellation, TimeSpan? wait = null) => await leases.AcquireLeaseAsync(
        new V1.AcquireLeaseRequest
        {
            App = "shop",
            Holder = new V1.LeaseHolder { Id = id, User = id, Machine = "ops1", Purpose = "deploying shop" },
            Duration = Duration.FromTimeSpan(TimeSpan.FromMinutes(10)),
            Step = "stage shop",
            Wait = Duration.FromTimeSpan(wait ?? TimeSpan.FromSeconds(30)),
        },
        cancellationToken: cancellation);

    private async Task<V1.Operation> UnlockAsync(string operation, CancellationToken cancellation)
    {
        var request = new V1.UnlockRequest { Operation = new() { Id = operation }, App = "shop", By = "alice on ops2", Reason = "its laptop is closed" };
        using var call = leases.Unlock(request, cancellationToken: cancellation);
        return (await call.ResponseStream.ReadAllAsync(cancellation).ToListAsync(cancellation))[^1].Finished;
    }

    private async Task<OperatorError> RefusalAsync(MethodDescriptor method, string id, ulong token, CancellationToken cancellation)
    {
        var request = Requests.Valid(method, $"{id}/{method.Name}", host.NextPort());
        // Other tests share the releases of the demo app.
        method.InputType.FindFieldByName("app")?.Accessor.SetValue(request, "shop");
        var (holder, field) = method.InputType.FindFieldByName("operation") is { } operation
            ? ((IMessage)operation.Accessor.GetValue(request), V1.OperationRef.Descriptor.FindFieldByName("fencing_token"))
            : (HeaderOf(request), V1.UploadHeader.Descriptor.FindFieldByName("fencing_token"));
        field.Accessor.SetValue(holder, token);
        try
        {
            await Contract.CallAsync(api.Channel.CreateCallInvoker(), method, request.ToByteArray(), cancellation);
        }
        catch (RpcException exception)
        {
            return OperatorError.FromRpc(exception);
        }

        return new OperatorError(StatusCode.OK, "NONE", "it was done");
    }
}
