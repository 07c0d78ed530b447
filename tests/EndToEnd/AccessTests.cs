using System.Collections.Concurrent;
using System.Security.Cryptography.X509Certificates;
using Decant.EndToEnd.Harness;
using Decant.Errors;
using Decant.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;

namespace Decant.EndToEnd;

/// <summary>Who may call what over TLS: every call of the contract by its descriptors, with every role and every kind of certificate.</summary>
public class AccessTests
{
    /// <summary>Calls that change nothing: every role may make them. All others are for admins and for deployers of their app.</summary>
    private static readonly string[] Reads =
    [
        "ListBalancers", "GetBackend", "ListDeployments", "GetStatus", "GetInstance", "ListInstances", "Logs", "ListLeases", "GetOperation", "ListOperations",
        "WatchOperation", "WatchOperations", "GetUpload", "ListReleases", "GetRelease", "GetCertificate", "ReadAudit",
    ];

    private static readonly (string Name, string[] Roles)[] Roles =
    [
        ("no role", []), ("observer", ["observer"]), ("deployer of the app", ["deployer:demo"]), ("deployer of another app", ["deployer:shop", "deployer:blog"]), ("admin", ["admin"]),
    ];

    private TlsAgent agent = null!;
    private string known = "";

    [OneTimeSetUp]
    public async Task StartAgent()
    {
        agent = await TlsAgent.StartAsync(CancellationToken.None, "access: { certificates: { ci@example.com: deployer:demo }, backends: { shop: web } }");
        using var channel = agent.Connect(agent.Ca.Operator("admin", ["admin"]));
        known = $"{Guid.NewGuid()}";
        var retire = new RetireRequest { Operation = new OperationRef { Id = known }, App = "demo", Slot = "main" };
        await AgentClient.ResultAsync(new Instances.InstancesClient(channel).Retire(retire), CancellationToken.None);
    }

    [OneTimeTearDown]
    public async Task StopAgent() => await agent.DisposeAsync();

    [Test]
    [CancelAfter(120_000)]
    public async Task Every_call_is_open_to_its_roles_with_a_good_certificate_and_to_nobody_else(CancellationToken cancellation)
    {
        var calls = Contract.Methods.Select(ICall (method) => Call(method)).Concat([new ForeignCall("Health.Check", AskHealthAsync), new ForeignCall("ServerReflection", AskReflectionAsync)]).ToList();
        using var otherCa = new TestCa("another CA");
        var (wrong, count) = (new ConcurrentQueue<string>(), 0);
        foreach (var (role, roles) in Roles)
        {
            var right = agent.Ca.Operator(role, roles);
            var revoked = agent.Ca.Operator($"revoked {role}", roles);
            agent.Revoke(agent.Ca.Revoke(revoked));
            await RefusedAsync(revoked, "CERTIFICATE_REVOKED", cancellation);
            (string Name, X509Certificate2? Certificate, string Host, Func<ICall, Outcome> Expected)[] credentials =
            [
                ("no certificate", null, "web1", _ => Outcome.NoConnection),
                ("of another CA", otherCa.Operator(role, roles), "web1", _ => Outcome.NoConnection),
                ("for servers", agent.Ca.Host("web2"), "web1", _ => Outcome.NoConnection),
                ("expired", agent.Ca.Operator(role, roles, DateTimeOffset.UtcNow.AddDays(-2), DateTimeOffset.UtcNow.AddDays(-1)), "web1", _ => Outcome.Expired),
                ("revoked", revoked, "web1", _ => Outcome.Revoked),
                ("right, and the agent is another host", right, "web2", _ => Outcome.NoConnection),
                ("right", right, "web1", call => MayCall(role, call) ? Outcome.Allowed : Outcome.RoleMissing),
            ];
            foreach (var (name, certificate, host, expected) in credentials)
            {
                using var channel = agent.Connect(certificate, host);
                await Parallel.ForEachAsync(calls, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = cancellation }, async (call, token) =>
                {
                    var outcome = await OutcomeAsync(call, channel, token);
                    Interlocked.Increment(ref count);
                    if (outcome.Outcome != expected(call)) wrong.Enqueue($"{call.Name} as {role}, certificate {name}: {outcome.Outcome} instead of {expected(call)} ({outcome.Detail})");
                });
            }
        }

        await FreeAsync(cancellation);
        TestContext.Out.WriteLine($"{count} combinations of {calls.Count} calls, {Roles.Length} roles and 7 kinds of certificates");
        Assert.That(wrong, Is.Empty);
        Assert.That(count, Is.GreaterThan(1000));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_revoked_certificate_ends_its_streams_and_open_connections_and_leaves_others_alone(CancellationToken cancellation)
    {
        var (bad, good) = (agent.Ca.Operator("mallory", ["admin"]), agent.Ca.Operator("alice", ["observer"]));
        using var theirs = agent.Connect(bad);
        using var ours = agent.Connect(good);
        using var followed = new Operations.OperationsClient(theirs).WatchOperations(new WatchOperationsRequest(), cancellationToken: cancellation);
        using var other = new Operations.OperationsClient(ours).WatchOperations(new WatchOperationsRequest(), cancellationToken: cancellation);
        await SeenAsync(followed, cancellation);
        await SeenAsync(other, cancellation);

        agent.Revoke(agent.Ca.Revoke(bad));

        Assert.That(async () => await EndAsync(followed, cancellation), Throws.TypeOf<RpcException>());
        await RefusedAsync(bad, "CERTIFICATE_REVOKED", cancellation);
        await SeenAsync(other, cancellation);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_certificate_that_expires_ends_its_streams(CancellationToken cancellation)
    {
        var brief = agent.Ca.Operator("brief", ["admin"], to: DateTimeOffset.UtcNow.AddSeconds(3));
        using var channel = agent.Connect(brief);
        using var followed = new Operations.OperationsClient(channel).WatchOperations(new WatchOperationsRequest(), cancellationToken: cancellation);
        await SeenAsync(followed, cancellation);

        Assert.That(async () => await EndAsync(followed, cancellation), Throws.TypeOf<RpcException>());
        await RefusedAsync(brief, "CERTIFICATE_EXPIRED", cancellation);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task The_agent_shows_a_new_certificate_without_a_restart_and_goes_on_with_the_old_one_when_it_is_broken(CancellationToken cancellation)
    {
        var alice = agent.Ca.Operator("alice", ["observer"]);
        await File.WriteAllTextAsync(Path.Combine(agent.TlsDirectory, "host.pem"), "nothing", cancellation);
        await agent.Agent.WaitForLineAsync("The certificates cannot be used", cancellation);
        using (var channel = agent.Connect(alice)) await new Hosts.HostsClient(channel).GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);

        agent.Show(agent.Ca.Host("renamed"));

        await Eventually.TrueAsync(
            async () =>
            {
                using var renamed = agent.Connect(alice, "renamed");
                return (await OutcomeAsync(Call(Contract.Methods.Single(m => m.Name == "GetStatus")), renamed, cancellation)).Outcome == Outcome.Allowed;
            },
            "the new certificate is shown",
            cancellation);
        agent.Show(agent.Ca.Host("web1"));
        await Eventually.TrueAsync(
            async () =>
            {
                using var again = agent.Connect(alice);
                return (await OutcomeAsync(Call(Contract.Methods.Single(m => m.Name == "GetStatus")), again, cancellation)).Outcome == Outcome.Allowed;
            },
            "the first name is back",
            cancellation);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task The_host_grants_roles_by_name_and_says_which_backends_are_an_apps(CancellationToken cancellation)
    {
        var drain = new DrainRequest { Operation = AgentClient.NewOperation(), Balancer = "edge", Backend = "demo", Member = "web1", App = "demo" };
        using var ci = agent.Connect(agent.Ca.Operator("ci@example.com", []));
        using var shop = agent.Connect(agent.Ca.Operator("shop", ["deployer:shop"]));

        var own = await AgentClient.ErrorAsync(() => AgentClient.ResultAsync(new Balancers.BalancersClient(ci).Drain(drain, cancellationToken: cancellation), cancellation));
        drain.Backend = "shop";
        var others = await AgentClient.ErrorAsync(() => AgentClient.ResultAsync(new Balancers.BalancersClient(ci).Drain(drain, cancellationToken: cancellation), cancellation));
        (drain.Operation, drain.App, drain.Backend) = (AgentClient.NewOperation(), "shop", "web");
        var granted = await AgentClient.ErrorAsync(() => AgentClient.ResultAsync(new Balancers.BalancersClient(shop).Drain(drain, cancellationToken: cancellation), cancellation));

        Assert.Multiple(() =>
        {
            Assert.That((own.Reason, others.Reason, granted.Reason), Is.EqualTo(("BALANCER_NOT_FOUND", "ROLE_MISSING", "BALANCER_NOT_FOUND")));
            Assert.That(others.Message, Does.Contain("Balancers/Drain").And.Contain("access.backends").And.Contain("CN=ci@example.com has deployer:demo"));
            Assert.That(others.Facts["caller"], Is.EqualTo("CN=ci@example.com"));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task An_upload_is_of_the_app_that_its_header_names(CancellationToken cancellation)
    {
        using var channel = agent.Connect(agent.Ca.Operator("shop", ["deployer:shop"]));
        var header = new UploadHeader { App = "demo", Release = new ReleaseRef { Version = "1.0.0", Digest = new string('a', 64) }, TotalBytes = 4 };

        var refused = await AgentClient.ErrorAsync(async () =>
        {
            using var call = new Releases.ReleasesClient(channel).Upload(cancellationToken: cancellation);
            await call.RequestStream.WriteAsync(new UploadRequest { Header = header }, cancellation);
            await call;
        });

        Assert.That((refused.Code, refused.Reason, refused.Facts["needs"]), Is.EqualTo((StatusCode.PermissionDenied, "ROLE_MISSING", "deployer:demo")));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Decant_says_by_name_what_is_wrong_with_either_side(CancellationToken cancellation)
    {
        using var otherCa = new TestCa("another CA");
        using var plain = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        await using var lone = await LoneAgent.StartAsync(cancellation);
        var (day, now) = (TimeSpan.FromDays(1), DateTimeOffset.UtcNow);
        var revoked = agent.Ca.Operator("bob", ["admin"]);
        agent.Revoke(agent.Ca.Revoke(revoked));
        await RefusedAsync(revoked, "CERTIFICATE_REVOKED", cancellation);
        var good = agent.Identity("good", agent.Ca.Operator("alice", ["observer"]));
        var readable = agent.Identity("readable", agent.Ca.Operator("alice", ["admin"]));
        File.SetUnixFileMode(Path.Combine(readable, "operator.key"), UnixFileMode.UserRead | UnixFileMode.OtherRead);
        (string Identity, string Address, int ExitCode, string Error, string Next)[] cases =
        [
            (good, $"127.0.0.1:{agent.Port}", 0, "", ""),
            (good, $"web1=127.0.0.1:{agent.Port}", 0, "", ""),
            (agent.Identity("none", null), $"127.0.0.1:{agent.Port}", 5, "operator.pem is not there", "decant ca issue"),
            (readable, $"127.0.0.1:{agent.Port}", 5, "others can read", "chmod 600"),
            (agent.Identity("wrong", otherCa.Operator("eve", ["admin"])), $"127.0.0.1:{agent.Port}", 5, "ended the connection after it saw your certificate", "does not trust|decant ca issue"),
            (agent.Identity("elsewhere", agent.Ca.Operator("alice", ["admin"]), otherCa), $"127.0.0.1:{agent.Port}", 5, "it is of another CA (issuer CN=test CA", "somebody answers in its place"),
            (agent.Identity("expired", agent.Ca.Operator("old", ["admin"], now - (2 * day), now - day)), $"127.0.0.1:{agent.Port}", 6, "the certificate of CN=old expired at", "decant ca issue"),
            (agent.Identity("revoked", revoked), $"127.0.0.1:{agent.Port}", 6, "the certificate of CN=bob, serial", "decant ca issue"),
            (agent.Identity("roleless", agent.Ca.Operator("nobody", [])), $"127.0.0.1:{agent.Port}", 6, "needs observer, and CN=nobody has no role", "access in agent.yml"),
            (good, $"web2=127.0.0.1:{agent.Port}", 5, "has the certificate of web1, and not of web2", "agent: web2=127.0.0.1"),
            (good, $"127.0.0.1:{lone.Host.AgentPort}", 5, "does not speak TLS 1.3", $"http://127.0.0.1:{lone.Host.AgentPort}"),
        ];

        await Parallel.ForEachAsync(cases, new ParallelOptions { MaxDegreeOfParallelism = 3, CancellationToken = cancellation }, async (one, token) =>
        {
            var manifest = Path.Combine(agent.Directory, $"{Guid.NewGuid()}.yml");
            await File.WriteAllTextAsync(manifest, $"app: demo\nhosts:\n  web1: {{ agent: \"{one.Address}\", port: 4000 }}\n", token);
            var result = await CommandResult.RunAsync(Programs.Decant, ["hosts", "--manifest", manifest, "--identity", one.Identity], token);
            Assert.That(result.ExitCode, Is.EqualTo(one.ExitCode), $"{one}\n{result.Everything}");
            Assert.That(result.Errors, Does.Contain(one.Error), $"{one}");
            foreach (var next in one.Next.Split('|')) Assert.That(result.Errors, Does.Contain(next), $"{one}");
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task On_the_unix_socket_a_user_may_what_the_host_grants_it(CancellationToken cancellation)
    {
        await using var local = await TlsAgent.StartAsync(cancellation, "access: { users: { games: observer }, groups: { 7: 'deployer:demo' } }");
        // Whoever cannot open the socket gets no further: here everybody can, so that what is granted decides.
        File.SetUnixFileMode(local.Directory, (UnixFileMode)0b111_101_101);
        File.SetUnixFileMode(local.Socket, (UnixFileMode)0b110_110_110);
        var manifest = Path.Combine(local.Directory, "decant.yml");
        await File.WriteAllTextAsync(manifest, $"app: demo\nhosts:\n  web1: {{ agent: \"unix:{local.Socket}\", port: 4000 }}\n", cancellation);

        async Task<CommandResult> AsAsync(string user, string group, params string[] command) => await CommandResult.RunAsync(
            "/usr/bin/setpriv",
            [$"--reuid={user}", $"--regid={group}", "--clear-groups", Programs.Decant, .. command, "--manifest", manifest],
            cancellation,
            new Dictionary<string, string> { ["DECANT_STATE_DIR"] = Path.Combine(local.Directory, $"state-{user}"), ["HOME"] = "/nonexistent" });

        var (games, nobody, lp) = (await AsAsync("games", "games", "hosts"), await AsAsync("nobody", "nogroup", "hosts"), await AsAsync("nobody", "7", "hosts"));
        var root = await CommandResult.RunAsync(Programs.Decant, ["hosts", "--manifest", manifest], cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(games.ExitCode, Is.Zero, games.Everything);
            Assert.That(lp.ExitCode, Is.Zero, lp.Everything);
            Assert.That(root.ExitCode, Is.Zero, root.Everything);
            Assert.That(nobody.ExitCode, Is.EqualTo(6), nobody.Everything);
            Assert.That(nobody.Errors, Does.Contain("needs observer, and nobody (uid 65534) has no role"));
        });
    }

    private static bool MayCall(string role, ICall call) => role switch
    {
        _ when call is ContractCall { Method.Name: "BeginEnrolment" or "CompleteEnrolment" or "Join" } => false,
        "no role" => false,
        "admin" => true,
        _ when call is ContractCall { Method.Name: "BeginRenewal" or "CompleteRenewal" or "SetRevoked" } => false,
        "deployer of the app" => true,
        _ => call is ForeignCall || Reads.Contains(((ContractCall)call).Method.Name),
    };

    private static async Task<(Outcome Outcome, string Detail)> OutcomeAsync(ICall call, GrpcChannel channel, CancellationToken cancellation)
    {
        // A stream that is let through would go on.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(call.GoesOn ? 1000 : 30_000);
        try
        {
            await call.MakeAsync(channel, limit.Token);
            return (Outcome.Allowed, "");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            // Writing to a stream whose connection broke off.
            return (Outcome.NoConnection, exception.Message);
        }
        catch (RpcException exception)
        {
            var reason = OperatorError.FromRpc(exception).Reason;
            return (exception.StatusCode switch
            {
                StatusCode.Unauthenticated when reason == "CERTIFICATE_EXPIRED" => Outcome.Expired,
                StatusCode.Unauthenticated when reason == "CERTIFICATE_REVOKED" => Outcome.Revoked,
                StatusCode.PermissionDenied when reason == "ROLE_MISSING" => Outcome.RoleMissing,
                StatusCode.Unauthenticated or StatusCode.PermissionDenied => Outcome.Other,
                StatusCode.Cancelled => call.GoesOn ? Outcome.Allowed : Outcome.Other,
                _ when exception.GetRpcStatus() is not null => Outcome.Allowed,
                StatusCode.Unavailable or StatusCode.Internal => Outcome.NoConnection,
                _ => Outcome.Other,
            }, $"{exception.Status}");
        }
    }

    private static async Task AskHealthAsync(GrpcChannel channel, CancellationToken cancellation)
        => await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest(), cancellationToken: cancellation);

    private static async Task AskReflectionAsync(GrpcChannel channel, CancellationToken cancellation)
    {
        using var call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(cancellationToken: cancellation);
        try
        {
            await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "*" }, cancellation);
        }
        catch (Exception exception) when (exception is RpcException or InvalidOperationException or IOException or HttpRequestException)
        {
            // The stream ended under the writer: the call's own status says why.
        }

        await call.ResponseStream.MoveNext(cancellation);
    }

    private static async Task EndAsync(AsyncServerStreamingCall<Operation> call, CancellationToken cancellation)
    {
        while (await call.ResponseStream.MoveNext(cancellation))
        {
            // Whatever comes before the end.
        }
    }

    private ContractCall Call(MethodDescriptor method)
    {
        var request = Requests.Valid(method, method.Name == "CancelOperation" ? known : $"access/{Guid.NewGuid()}", 4000);
        return new ContractCall(method, request.ToByteArray());
    }

    /// <summary>Lets something happen that a follower is told of.</summary>
    private async Task SeenAsync(AsyncServerStreamingCall<Operation> follower, CancellationToken cancellation)
    {
        using var channel = agent.Connect(agent.Ca.Operator("somebody", ["admin"]));
        var seen = follower.ResponseStream.MoveNext(cancellation);
        while (!seen.IsCompleted)
        {
            var retire = new RetireRequest { Operation = AgentClient.NewOperation(), App = "demo", Slot = "main" };
            await AgentClient.ResultAsync(new Instances.InstancesClient(channel).Retire(retire, cancellationToken: cancellation), cancellation);
        }

        Assert.That(await seen, Is.True);
    }

    /// <summary>Gives back the lease that was taken on the way.</summary>
    private async Task FreeAsync(CancellationToken cancellation)
    {
        using var channel = agent.Connect(agent.Ca.Operator("somebody", ["admin"]));
        var leases = new Leases.LeasesClient(channel);
        foreach (var lease in (await leases.ListLeasesAsync(new ListLeasesRequest(), cancellationToken: cancellation)).Leases)
            await leases.ReleaseLeaseAsync(new ReleaseLeaseRequest { App = lease.App, FencingToken = lease.FencingToken }, cancellationToken: cancellation);
    }

    /// <summary>Returns when the agent knows that the certificate is no good.</summary>
    private Task RefusedAsync(X509Certificate2 certificate, string reason, CancellationToken cancellation) => Eventually.TrueAsync(
        async () =>
        {
            using var channel = agent.Connect(certificate);
            try
            {
                await new Hosts.HostsClient(channel).GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);
                return false;
            }
            catch (RpcException exception)
            {
                return OperatorError.FromRpc(exception).Reason == reason;
            }
        },
        reason,
        cancellation);

    private enum Outcome
    {
        Allowed,
        NoConnection,
        Expired,
        Revoked,
        RoleMissing,
        Other,
    }

    private interface ICall
    {
        string Name { get; }

        bool GoesOn { get; }

        Task MakeAsync(GrpcChannel channel, CancellationToken cancellation);
    }

    private sealed record ContractCall(MethodDescriptor Method, byte[] Request) : ICall
    {
        public string Name => Method.FullName;

        public bool GoesOn => Method.Name == "WatchOperations";

        public Task MakeAsync(GrpcChannel channel, CancellationToken cancellation) => Contract.CallAsync(channel.CreateCallInvoker(), Method, Request, cancellation);
    }

    private sealed record ForeignCall(string Name, Func<GrpcChannel, CancellationToken, Task> Make) : ICall
    {
        public bool GoesOn => false;

        public Task MakeAsync(GrpcChannel channel, CancellationToken cancellation) => Make(channel, cancellation);
    }
}
