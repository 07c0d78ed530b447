using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Decant.Agent.Configuration;

namespace Decant.Agent.Tests.Proxy;

[Parallelizable(ParallelScope.All)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class ForwardingTests
{
    private TestUpstream one = null!;
    private TestUpstream two = null!;

    [SetUp]
    public async Task StartMembers()
    {
        one = await TestUpstream.StartAsync("web1");
        two = await TestUpstream.StartAsync("web2");
    }

    [TearDown]
    public async Task StopMembers()
    {
        await one.DisposeAsync();
        await two.DisposeAsync();
    }

    [Test]
    public async Task A_request_goes_through_as_the_client_wrote_it_with_who_it_came_from()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, "/echo/a%2Fb?q=%20x&y"));
        request.Headers.Host = "shop.example";
        request.Headers.Add("X-Forwarded-For", "6.6.6.6");
        request.Headers.Add("X-Twice", ["1", "2"]);

        using var response = await proxy.Client.SendAsync(request);
        var lines = (await response.Content.ReadAsStringAsync()).Split('\n');

        using (Assert.EnterMultipleScope())
        {
            Assert.That(lines[0], Is.EqualTo("/echo/a%2Fb?q=%20x&y"));
            Assert.That(lines, Does.Contain("Host: shop.example"));
            Assert.That(lines, Does.Contain("X-Forwarded-For: 127.0.0.1"));
            Assert.That(lines, Does.Contain("X-Forwarded-Proto: http"));
            Assert.That(lines, Does.Contain("X-Forwarded-Host: shop.example"));
            Assert.That(lines.Single(l => l.StartsWith("X-Twice", StringComparison.Ordinal)), Does.Match("1, ?2"));
        }
    }

    [Test]
    public async Task What_is_trusted_to_say_who_asked_is_believed()
    {
        await using var proxy = await RunningProxy.StartAsync(new ProxySettings { TrustForwarded = true }, one);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, "/echo"));
        request.Headers.Add("X-Forwarded-For", "9.9.9.9");
        request.Headers.Add("X-Forwarded-Proto", "https");

        using var response = await proxy.Client.SendAsync(request);
        var lines = (await response.Content.ReadAsStringAsync()).Split('\n');

        Assert.That(lines, Does.Contain("X-Forwarded-For: 9.9.9.9, 127.0.0.1"));
        Assert.That(lines, Does.Contain("X-Forwarded-Proto: https"));
    }

    [Test]
    public async Task A_response_is_passed_on_while_it_is_being_made()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, "/stream"), HttpCompletionOption.ResponseHeadersRead);
        await using var body = await response.Content.ReadAsStreamAsync();

        var first = new byte[5];
        await body.ReadExactlyAsync(first);
        one.Go();
        using var rest = new StreamReader(body);

        Assert.That(Encoding.ASCII.GetString(first), Is.EqualTo("first"));
        Assert.That(await rest.ReadToEndAsync(), Is.EqualTo("second"));
    }

    [Test]
    public async Task Uploads_go_through_whole_with_and_without_a_length([Values] bool chunked)
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(proxy.Url, "/upload")) { Content = new ByteArrayContent(new byte[40 << 20]) };
        request.Headers.TransferEncodingChunked = chunked;

        using var response = await proxy.Client.SendAsync(request);

        Assert.That(await response.Content.ReadAsStringAsync(), Is.EqualTo($"{40 << 20}"));
    }

    [Test]
    public async Task A_post_without_a_body_keeps_its_length()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        using var content = new ByteArrayContent([]);
        content.Headers.ContentType = new("text/x-test");

        using var response = await proxy.Client.PostAsync(new Uri(proxy.Url, "/echo"), content);

        var lines = (await response.Content.ReadAsStringAsync()).Split('\n');
        Assert.That(lines, Does.Contain("Content-Length: 0"));
        Assert.That(lines, Does.Contain("Content-Type: text/x-test"));
        Assert.That(lines.Count(l => l.StartsWith("X-Forwarded-For", StringComparison.Ordinal)), Is.EqualTo(1));
    }

    [Test]
    public async Task Clients_that_know_that_it_speaks_http2_are_served_on_the_same_port()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false })
        {
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(async _ =>
        {
            using var response = await client.GetAsync(proxy.Url);
            return (response.Version, Text: await response.Content.ReadAsStringAsync());
        }));

        Assert.That(answers, Is.All.EqualTo((HttpVersion.Version20, "web1")));
        Assert.That(await proxy.GetAsync("/"), Is.EqualTo("web1"));
    }

    [Test]
    public async Task Requests_follow_the_weights_exactly()
    {
        await using var proxy = await RunningProxy.StartAsync();
        await proxy.PutInAsync(one);
        await proxy.PutInAsync(two, weight: 25);

        for (var i = 0; i < 100; i++) await proxy.GetAsync("/");

        Assert.That((one.Requests, two.Requests), Is.EqualTo((80, 20)));
    }

    [Test]
    public async Task A_member_that_refuses_connections_costs_no_request_and_gets_more_when_it_is_back()
    {
        await using var proxy = await RunningProxy.StartAsync(one, two);
        await one.KillAsync();

        for (var i = 0; i < 20; i++) Assert.That(await proxy.GetAsync("/"), Is.EqualTo("web2"));
        using (var posted = await proxy.Client.PostAsync(new Uri(proxy.Url, "/upload"), new ByteArrayContent(new byte[1000])))
            Assert.That(posted.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((await proxy.SeeAsync(one)).Status, Is.EqualTo("DOWN"));

        await one.RunAsync();
        await proxy.UntilAsync(one, m => m.Status == "UP", "web1 up again");
        Assert.That(new[] { await proxy.GetAsync("/"), await proxy.GetAsync("/") }, Is.EquivalentTo(new[] { "web1", "web2" }));
    }

    [Test]
    public async Task Requests_are_held_while_the_only_member_restarts()
    {
        await using var proxy = await RunningProxy.StartAsync(new ProxySettings { Hold = TimeSpan.FromSeconds(20) }, one);
        await one.KillAsync();
        var held = Enumerable.Range(0, 20).Select(i => i % 2 == 0 ? proxy.GetAsync("/") : PostAsync(proxy)).ToList();
        await proxy.UntilAsync(one, m => m.Status == "DOWN", "web1 down");
        Assert.That(held.Any(h => h.IsCompleted), Is.False);

        await one.RunAsync();

        Assert.That(await Task.WhenAll(held), Is.All.EqualTo("web1").Or.EqualTo("1000"));

        static async Task<string> PostAsync(RunningProxy proxy)
        {
            using var response = await proxy.Client.PostAsync(new Uri(proxy.Url, "/upload"), new ByteArrayContent(new byte[1000]));
            return await response.Content.ReadAsStringAsync();
        }
    }

    [Test]
    public async Task A_request_that_was_held_in_vain_is_told_why()
    {
        await using var proxy = await RunningProxy.StartAsync(new ProxySettings { Hold = TimeSpan.FromMilliseconds(200) }, one);
        await one.KillAsync();

        using var response = await proxy.Client.GetAsync(proxy.Url);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
            Assert.That(response.Headers.RetryAfter?.Delta, Is.EqualTo(TimeSpan.FromSeconds(1)));
            Assert.That(await response.Content.ReadAsStringAsync(), Does.StartWith("503 no server of shop can answer now; the request was held for 0.2"));
        }
    }

    [Test]
    public async Task What_broke_off_is_repeated_elsewhere_when_it_may_be_and_otherwise_said_to_have_failed()
    {
        await using var proxy = await RunningProxy.StartAsync(one);

        using var get = await proxy.Client.GetAsync(new Uri(proxy.Url, "/reset"));
        var afterGet = one.Requests;
        using var post = await proxy.Client.PostAsync(new Uri(proxy.Url, "/reset"), new ByteArrayContent(new byte[10]));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(get.StatusCode, Is.EqualTo(HttpStatusCode.BadGateway));
            Assert.That(afterGet, Is.GreaterThan(1));
            Assert.That(post.StatusCode, Is.EqualTo(HttpStatusCode.BadGateway));
            Assert.That(one.Requests, Is.EqualTo(afterGet + 1));
            Assert.That((await proxy.SeeAsync(one)).Status, Is.EqualTo("UP"));
        }
    }

    [Test]
    public async Task A_client_that_goes_away_ends_its_request_at_the_member()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        using var gone = new CancellationTokenSource();
        var request = proxy.Client.GetAsync(new Uri(proxy.Url, "/slow"), gone.Token);
        await proxy.UntilAsync(one, m => m.Sessions == 1, "the request in flight");

        await gone.CancelAsync();

        await one.Aborted.WaitAsync(TimeSpan.FromSeconds(20));
        await proxy.UntilAsync(one, m => m.Sessions == 0, "nothing in flight");
        Assert.That(async () => await request, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task Hosts_are_told_apart_and_others_go_to_the_first_backend()
    {
        await using var proxy = await RunningProxy.StartAsync(new ProxySettings { Backends = [Backend("shop", "shop.example"), Backend("blog", "blog.example")] }, one);
        await proxy.Balancer.UndrainAsync(Names.MemberName.Parse("blog"), RunningProxy.In(two), TimeSpan.FromSeconds(10), proxy.Report, default);

        Assert.That(
            new[] { await AskAsync("shop.example"), await AskAsync("BLOG.example:8080"), await AskAsync("other.example") },
            Is.EqualTo(new[] { "web1", "web2", "web1" }));

        async Task<string> AskAsync(string name)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, proxy.Url);
            request.Headers.Host = name;
            using var response = await proxy.Client.SendAsync(request);
            return await response.Content.ReadAsStringAsync();
        }

        static ProxyBackendSettings Backend(string name, string host) => new(Names.MemberName.Parse(name), [host], null, TimeSpan.FromSeconds(1));
    }

    [Test]
    public async Task Answers_and_errors_are_counted()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        for (var i = 0; i < 10; i++) await proxy.GetAsync("/");
        for (var i = 0; i < 3; i++) (await proxy.Client.GetAsync(new Uri(proxy.Url, "/status/500"))).Dispose();

        var seen = await proxy.SeeAsync(one);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((seen.ResponsesTotal, seen.Responses5xx, seen.SessionsTotal), Is.EqualTo((13, 3, 13)));
            Assert.That(seen.ResponseTimeMs, Is.GreaterThan(0));
            Assert.That((await proxy.Balancer.ReadBackendAsync(RunningProxy.Shop, default)) is { MembersManaged: true, CountsAnswers: true });
        }
    }

    [Test]
    public async Task A_websocket_goes_both_ways_and_is_told_apart()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        using var socket = await proxy.OpenWebSocketAsync();
        await socket.SendAsync(new byte[100_000], WebSocketMessageType.Binary, endOfMessage: true, default);
        var buffer = new byte[100_000];
        for (var read = 0; read < buffer.Length;) read += (await socket.ReceiveAsync(buffer.AsMemory(read), default)).Count;

        Assert.That(await proxy.SeeAsync(one) is { Sessions: 1, LongLived: 1 });
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", default);
        Assert.That(await one.Closed, Is.EqualTo(WebSocketCloseStatus.NormalClosure));
        await proxy.UntilAsync(one, m => m is { Sessions: 0, LongLived: 0 }, "nothing in flight");
    }

    [Test]
    public async Task Requests_on_raw_connections_are_answered_in_order()
    {
        await using var proxy = await RunningProxy.StartAsync(one);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, proxy.Url.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /status/404 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"u8.ToArray());
        using var reader = new StreamReader(stream);

        var answers = await reader.ReadToEndAsync();

        Assert.That(answers, Does.Match("(?s)HTTP/1.1 200 OK.*web1.*HTTP/1.1 404 Not Found"));
    }
}
