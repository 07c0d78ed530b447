using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Tests.Balancers;

/// <summary>What is particular to Caddy: its configuration, its count of requests and its admin API.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public class CaddyBalancerTests
{
    private static readonly MemberName Shop = MemberName.Parse("shop");
    private static readonly MemberKey Web1 = new(Shop, MemberName.Parse("web1"));
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(20);
    private readonly TestMember one = new("web1");
    private readonly TestMember two = new("web2");
    private readonly RecordedReport report = new();

    [TearDown]
    public async Task StopMembers()
    {
        await one.DisposeAsync();
        await two.DisposeAsync();
    }

    [Test]
    public async Task Everything_else_of_the_handler_stays_as_it_is()
    {
        await using var caddy = await RealCaddy.StartAsync([one, two]);
        using var balancer = caddy.Balancer();
        await caddy.PatchAsync("/id/shop", $$"""
            { "@id": "shop", "handler": "reverse_proxy", "flush_interval": -1,
              "handle_response": [{ "match": { "status_code": [5] }, "routes": [] }],
              "upstreams": [{ "dial": "127.0.0.1:{{one.Port}}", "max_requests": 7 }, { "@id": "shop/web2", "dial": "127.0.0.1:{{two.Port}}" }] }
            """);
        // One that was written without a name is known by its address.
        var putIn = new PutIn(Web1.Member, MemberAddress.Parse($"127.0.0.1:{one.Port}"));

        await balancer.UndrainAsync(Shop, putIn, Long, report, default);
        await balancer.DrainAsync(Web1, new DrainOptions(Long, 0), report, default);
        await balancer.MaintenanceAsync(new MemberKey(Shop, MemberName.Parse("web2")), report, default);
        await balancer.UndrainAsync(Shop, putIn, Long, report, default);
        await balancer.UndrainAsync(Shop, new PutIn(MemberName.Parse("web2")), Long, report, default);

        var expected = JsonNode.Parse($$"""
            { "@id": "shop", "handler": "reverse_proxy", "flush_interval": -1,
              "handle_response": [{ "match": { "status_code": [5] }, "routes": [] }],
              "upstreams": [{ "@id": "shop/web1", "dial": "127.0.0.1:{{one.Port}}", "max_requests": 7 }, { "@id": "shop/web2", "dial": "127.0.0.1:{{two.Port}}" }] }
            """);
        var now = await caddy.ReadAsync("/id/shop");
        Assert.That(JsonNode.DeepEquals(JsonNode.Parse(now), expected), now);
    }

    [Test]
    public async Task Who_is_out_survives_that_caddy_is_restarted_with_resume()
    {
        await using var caddy = await RealCaddy.StartAsync([one, two]);
        using var balancer = caddy.Balancer();
        await balancer.MaintenanceAsync(Web1, report, default);

        await caddy.KillAsync();
        await caddy.RunAsync(resume: true);
        var backend = await balancer.ReadBackendAsync(Shop, default);

        Assert.That(backend.Find(Web1.Member)!.State, Is.EqualTo(MemberState.Maintenance));
        Assert.That(await caddy.GetAsync("/"), Is.EqualTo("web2"));
    }

    [Test]
    public async Task A_policy_that_knows_no_shares_refuses_them()
    {
        await using var caddy = await RealCaddy.StartAsync([one, two], policy: "ip_hash");
        using var balancer = caddy.Balancer();
        var before = await caddy.ReadAsync("/id/shop");

        var error = await Refusal.OfAsync(balancer.UndrainAsync(Shop, new PutIn(Web1.Member, Weight: 10), Long, report, default));

        Assert.That(error.Reason, Is.EqualTo("WEIGHT_NOT_SUPPORTED"));
        Assert.That(error.Message, Does.Contain("ip_hash"));
        Assert.That(await caddy.ReadAsync("/id/shop"), Is.EqualTo(before));
    }

    [Test]
    public async Task A_member_that_a_reload_has_deleted_while_it_drained_is_not_called_drained()
    {
        await using var caddy = await RealCaddy.StartAsync([one, two]);
        using var balancer = caddy.Balancer();
        two.FinishSlow();
        var asked = new List<Task<string>>();
        while (!one.SlowArrived.IsCompleted)
        {
            asked.Add(caddy.GetAsync("/slow"));
            await Task.WhenAny(asked[^1], one.SlowArrived);
        }

        var drain = balancer.DrainAsync(Web1, new DrainOptions(Long, 0), report, default);
        await Eventually.TrueAsync(() => report.Sessions.Any(s => s > 0), "sessions");
        await caddy.PatchAsync("/id/shop", $$"""{ "@id": "shop", "handler": "reverse_proxy", "upstreams": [{ "@id": "shop/web2", "dial": "127.0.0.1:{{two.Port}}" }] }""");
        var error = await Refusal.OfAsync(drain);
        one.FinishSlow();
        await Task.WhenAll(asked);

        Assert.That(error.Reason, Is.EqualTo("MEMBER_NOT_FOUND"));
    }

    [Test]
    public void The_example_that_is_shipped_has_the_backend_and_its_members()
    {
        var example = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "examples", "caddy.json")))!;
        var handler = example["apps"]!["http"]!["servers"]!["web"]!["routes"]![0]!["handle"]![0]!.AsObject();

        Assert.That(CaddyHandler.Backends(example), Is.EqualTo(new[] { "shop" }));
        Assert.That(CaddyHandler.Read(Shop, handler).Members.Select(m => m.Name.Value), Is.EqualTo(new[] { "web1", "web2" }));
    }

    [Test]
    public void What_in_a_handler_is_not_as_caddy_writes_it_is_passed_over_and_kept()
    {
        const string Odd = """[5,null,"a",{"routes":[1,null,{"handle":[2]},{"handle":3}]},{"routes":{}}]""";
        var handler = CaddyAdmin.Parse($$"""{"handler":"reverse_proxy","upstreams":[{"dial":"10.0.0.1:80"},7],"load_balancing":[1],"handle_response":{{Odd}}}""")!.AsObject();

        var table = CaddyHandler.Read(Shop, handler);

        Assert.That(table.Members.Select(m => m.Name.Value), Is.EqualTo(new[] { "10.0.0.1:80" }));
        Assert.That(CaddyHandler.Write(Shop, handler, table)["handle_response"]!.ToJsonString(), Is.EqualTo(Odd));
    }

    [Test]
    public void A_key_that_is_there_twice_is_no_answer_of_caddys()
        => Assert.That(() => CaddyAdmin.Parse("""{"dial":"a:1","dial":"b:1"}"""), Throws.InstanceOf<System.Text.Json.JsonException>());

    [Test]
    public async Task A_handler_of_another_kind_is_no_backend()
    {
        await using var caddy = await RealCaddy.StartAsync([one, two]);
        using var balancer = caddy.Balancer();

        var error = await Refusal.OfAsync(balancer.ReadBackendAsync(MemberName.Parse("other"), default));

        Assert.That(error.Reason, Is.EqualTo("BALANCER_REFUSED"));
        Assert.That(await balancer.ListBackendsAsync(default), Is.EqualTo(new[] { "shop" }));
    }

    [TestCase("SSH-2.0-OpenSSH_9.2\r\n", TestName = "An_endpoint_that_does_not_speak_http_is_no_caddy")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", TestName = "An_endpoint_that_does_not_answer_with_json_is_no_caddy")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", TestName = "An_endpoint_that_hangs_up_in_the_middle_is_no_caddy")]
    [TestCase("", TestName = "An_endpoint_that_hangs_up_is_no_caddy")]
    public async Task An_endpoint_is_no_caddy(string answer)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var answering = AnswerAsync(listener, answer);
        using var balancer = new CaddyBalancer(
            BalancerName.Parse("front"), new BalancerSettings.Caddy(new Uri($"http://{listener.LocalEndpoint}")), new TableTimings(), TimeProvider.System);

        var error = await Refusal.OfAsync(balancer.DrainAsync(Web1, new DrainOptions(Long, 0), report, default));
        listener.Stop();
        await answering;

        Assert.That(error.Reason, Is.EqualTo("BALANCER_UNREACHABLE"));
    }

    [Test]
    public async Task An_endpoint_that_stays_silent_is_unreachable_in_time()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var balancer = new CaddyBalancer(
            BalancerName.Parse("front"),
            new BalancerSettings.Caddy(new Uri($"http://{listener.LocalEndpoint}")),
            new TableTimings { Answer = TimeSpan.FromSeconds(0.3) },
            TimeProvider.System);

        var error = await Refusal.OfAsync(balancer.ReadBackendAsync(Shop, default));

        Assert.That(error.Reason, Is.EqualTo("BALANCER_UNREACHABLE"));
    }

    private static async Task AnswerAsync(TcpListener listener, string answer)
    {
        try
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync();
                var read = await client.GetStream().ReadAsync(new byte[4096]);
                if (read > 0) await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(answer));
            }
        }
        catch (Exception exception) when (exception is SocketException or InvalidOperationException or IOException)
        {
            // The test is over.
        }
    }
}
