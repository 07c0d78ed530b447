using Decant.Agent.Api;
using Decant.Agent.Deployments;
using Decant.Agent.Tests.Api;
using Decant.Errors;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Decant.Agent.Tests.Deployments;

/// <summary>Records of deployments by the contract: who may write them, and what of.</summary>
[Parallelizable(ParallelScope.Self)]
internal sealed class DeploymentsServiceTests
{
    private ServedApi api = null!;
    private V1.Leases.LeasesClient leases = null!;
    private V1.Deployments.DeploymentsClient deployments = null!;

    [SetUp]
    public async Task Open()
    {
        api = await ServedApi.StartAsync(services => services.AddSingleton<DeploymentStore>(), app =>
        {
            app.MapGrpcService<LeasesService>();
            app.MapGrpcService<DeploymentsService>();
        });
        leases = new V1.Leases.LeasesClient(api.Channel);
        deployments = new V1.Deployments.DeploymentsClient(api.Channel);
    }

    [TearDown]
    public async Task Close() => await api.DisposeAsync();

    [Test]
    [CancelAfter(30_000)]
    public async Task A_record_is_kept_under_its_apps_lease_and_told_whole_or_briefly(CancellationToken cancellation)
    {
        var token = await AcquireAsync("ann", "d1", cancellation);
        var record = Record("d1");
        await PutAsync(token, record, cancellation);
        await PutAsync(token, record, cancellation);

        var whole = await ListAsync(new V1.ListDeploymentsRequest { App = "shop", DeploymentId = "d1" }, cancellation);
        var brief = await ListAsync(new V1.ListDeploymentsRequest { App = "shop", Brief = true }, cancellation);
        await leases.ReleaseLeaseAsync(new V1.ReleaseLeaseRequest { App = "shop", FencingToken = token }, cancellationToken: cancellation);
        var after = await ListAsync(new V1.ListDeploymentsRequest(), cancellation);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(whole.Single().Record, Is.EqualTo(record));
            Assert.That((whole.Single().FencingToken, whole.Single().LeaseHeld), Is.EqualTo((token, true)));
            Assert.That(brief.Single().Record.Cutovers, Is.Empty);
            Assert.That((brief.Single().Record.Manifest, brief.Single().Record.Plan, brief.Single().Record.Id), Is.EqualTo(("", "", "d1")));
            Assert.That(after.Single().LeaseHeld, Is.False, "nobody holds the lease any more");
            Assert.That(await ListAsync(new V1.ListDeploymentsRequest { App = "blog" }, cancellation), Is.Empty);
        }
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task Nobody_writes_without_the_newest_token_or_behind_what_is_kept(CancellationToken cancellation)
    {
        var older = await AcquireAsync("ann", "d1", cancellation);
        await PutAsync(older, Record("d1"), cancellation);
        await leases.ReleaseLeaseAsync(new V1.ReleaseLeaseRequest { App = "shop", FencingToken = older }, cancellationToken: cancellation);
        var newest = await AcquireAsync("bob", "d1", cancellation);
        await PutAsync(newest, Record("d1", attempt: 2, revision: 7), cancellation);

        var late = await RefusedAsync(older, Record("d1", attempt: 3, revision: 9), cancellation);
        var none = await RefusedAsync(0, Record("d1", attempt: 3, revision: 9), cancellation);
        var made = await RefusedAsync(newest + 100, Record("d1", attempt: 3, revision: 9), cancellation);
        var otherApp = await RefusedAsync(newest, Record("d2", app: "blog"), cancellation);
        var behind = await RefusedAsync(newest, Record("d1", attempt: 1, revision: 8), cancellation);
        var kept = await ListAsync(new V1.ListDeploymentsRequest(), cancellation);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((late.Code, late.Reason), Is.EqualTo((StatusCode.FailedPrecondition, "LEASE_LOST")));
            Assert.That((none.Code, none.Reason), Is.EqualTo((StatusCode.InvalidArgument, "BAD_REQUEST")));
            Assert.That(made.Reason, Is.EqualTo("LEASE_LOST"), "a token that nobody was given");
            Assert.That(otherApp.Reason, Is.EqualTo("LEASE_LOST"), "the lease of another app");
            Assert.That((behind.Code, behind.Reason), Is.EqualTo((StatusCode.FailedPrecondition, "RECORD_SUPERSEDED")));
            Assert.That(behind.Message, Does.Contain("attempt 2, revision 7"));
            Assert.That(kept.Select(k => (k.Record.Attempt, k.Record.Revision)), Is.EqualTo(new[] { (2u, 7u) }));
        }
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task What_is_wrong_with_a_record_or_too_large_is_told_field_by_field(CancellationToken cancellation)
    {
        var token = await AcquireAsync("ann", "d1", cancellation);
        var wrong = Record("../d1", app: "Shop!", attempt: 0);
        wrong.Intent = V1.DeploymentIntent.Unspecified;
        wrong.State = (V1.DeploymentState)99;
        wrong.StartedAt = new Timestamp { Seconds = long.MaxValue };
        wrong.Release.Digest = "none";
        wrong.Cutovers[0].Host = "";
        wrong.Manifest = new string('m', (256 << 10) + 1);
        wrong.Message = new string('m', (64 << 10) + 1);
        wrong.Only.Add(Enumerable.Repeat("web1", 1001));
        var large = Record("d1");
        for (var i = 0; i < 1000; i++) large.Cutovers.Add(new V1.HostCutover { Host = $"web{i}", Spec = new V1.SlotSpec { Port = 1, Node = new string('n', 2000) } });

        var empty = await RefusedAsync(token, null, cancellation);
        var fields = (await RefusedAsync(token, wrong, cancellation)).Fields.Select(f => f.Field).ToList();
        var tooLarge = await RefusedAsync(token, large, cancellation);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(empty.Fields.Select(f => f.Field), Does.Contain("record").And.Contain("record.id").And.Contain("record.app"));
            Assert.That(fields, Is.SupersetOf(new[]
            {
                "record.app", "record.attempt", "record.intent", "record.state", "record.started_at", "record.release.digest", "record.cutovers[0].host",
                "record.manifest", "record.message", "record.only",
            }));
            Assert.That(tooLarge.Fields.Select(f => f.Field), Does.Contain("record").And.Contain("record.cutovers"));
            Assert.That(await ListAsync(new V1.ListDeploymentsRequest(), cancellation), Is.Empty);
        }
    }

    private async Task<ulong> AcquireAsync(string holder, string deployment, CancellationToken cancellation) => (await leases.AcquireLeaseAsync(
        new V1.AcquireLeaseRequest
        {
            App = "shop",
            Holder = new V1.LeaseHolder { Id = holder, User = holder, Purpose = "deploying shop", DeploymentId = deployment },
            Duration = Duration.FromTimeSpan(TimeSpan.FromMinutes(10)),
        },
        cancellationToken: cancellation)).FencingToken;

    private async Task PutAsync(ulong token, V1.DeploymentRecord? record, CancellationToken cancellation)
        => await deployments.PutDeploymentAsync(new V1.PutDeploymentRequest { FencingToken = token, Record = record }, cancellationToken: cancellation);

    private async Task<OperatorError> RefusedAsync(ulong token, V1.DeploymentRecord? record, CancellationToken cancellation)
        => OperatorError.FromRpc((await Assert.ThrowsAsync<RpcException>(async () => await PutAsync(token, record, cancellation)))!);

    private async Task<IReadOnlyList<V1.KeptDeployment>> ListAsync(V1.ListDeploymentsRequest request, CancellationToken cancellation)
        => (await deployments.ListDeploymentsAsync(request, cancellationToken: cancellation)).Deployments;

    private static V1.DeploymentRecord Record(string id, string app = "shop", uint attempt = 1, uint revision = 1) => new()
    {
        Id = id,
        App = app,
        Intent = V1.DeploymentIntent.Deploy,
        Release = new V1.ReleaseRef { Version = "1.4.2", Digest = new string('a', 64) },
        Manifest = "app: shop\n",
        Plan = "wave 1\n  web1",
        State = V1.DeploymentState.Running,
        Attempt = attempt,
        Revision = revision,
        StartedAt = new Timestamp { Seconds = 1_790_000_000 },
        Controller = new V1.DeploymentController { User = "ann", Machine = "ops1", Pid = 7, Process = "boot/pid/1" },
        Cutovers = { new V1.HostCutover { Host = "web1", Slot = "main", Spec = new V1.SlotSpec { Port = 4000, Env = { ["A"] = "b" } } } },
    };
}
