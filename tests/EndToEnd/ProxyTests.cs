using System.Net;
using System.Net.Sockets;
using System.Text;
using Decant.EndToEnd.Harness;
using Decant.V1;

namespace Decant.EndToEnd;

/// <summary>The embedded proxy as a process, before a real release, driven by a real agent.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public class ProxyTests
{
    private readonly string socket = Path.Combine(Path.GetTempPath(), $"decant-proxy-{Guid.NewGuid():N}.sock");

    [TearDown]
    public void DeleteSocket() => File.Delete(socket);

    [Test]
    [CancelAfter(90_000)]
    public async Task The_proxy_restarts_under_load_without_losing_a_request_and_goes_on_as_it_was(CancellationToken cancellation)
    {
        using var ports = new FreePorts();
        await using var agent = await LoneAgent.StartAsync(cancellation, $"proxy: {{ socket: {socket} }}");
        await using var proxy = await ProxyProcess.StartAsync(agent.Host.ConfigurationFile, ports.Next(), cancellation);
        await agent.StartReleaseAsync(cancellation);
        await PutInAsync(agent, "main", cancellation);

        using var enough = new CancellationTokenSource();
        var load = Enumerable.Range(0, 12).Select(i => LoadAsync(proxy.Url, keepAlive: i % 2 == 0, enough.Token)).ToList();
        for (var i = 0; i < 3; i++) await proxy.RestartAsync(cancellation);
        await enough.CancelAsync();
        var answered = await Task.WhenAll(load);

        var backend = await agent.Client.Balancers.GetBackendAsync(new GetBackendRequest { Balancer = "proxy", Backend = "demo" }, cancellationToken: cancellation);
        Assert.That(answered, Is.All.GreaterThan(3));
        Assert.That(backend.Members.Single().Status, Is.EqualTo("UP"));
        Assert.That(backend.MembersManaged && backend.CountsAnswers);
    }

    [Test]
    [CancelAfter(90_000)]
    public async Task The_agents_death_does_not_touch_traffic_and_its_successor_drains(CancellationToken cancellation)
    {
        using var ports = new FreePorts();
        await using var agent = await LoneAgent.StartAsync(cancellation, $"proxy: {{ socket: {socket} }}");
        await using var proxy = await ProxyProcess.StartAsync(agent.Host.ConfigurationFile, ports.Next(), cancellation);
        await agent.StartReleaseAsync(cancellation);
        await PutInAsync(agent, "main", cancellation);
        using var enough = new CancellationTokenSource();
        var load = LoadAsync(proxy.Url, keepAlive: true, enough.Token);

        await agent.Host.KillAgentAsync();
        await agent.Host.StartAgentAsync(cancellation);
        await enough.CancelAsync();
        Assert.That(await load, Is.GreaterThan(3));

        var drained = await AgentClient.ResultAsync(
            agent.Client.Balancers.Drain(
                new DrainRequest { Operation = AgentClient.NewOperation(), Balancer = "proxy", Backend = "demo", Member = "main" }, cancellationToken: cancellation),
            cancellation);
        Assert.That(drained.Drain.SessionsLeft, Is.Zero);
    }

    private static Task<OperationResult> PutInAsync(LoneAgent agent, string member, CancellationToken cancellation) => AgentClient.ResultAsync(
        agent.Client.Balancers.Undrain(
            new UndrainRequest
            {
                Operation = AgentClient.NewOperation(),
                Balancer = "proxy",
                Backend = "demo",
                Member = member,
                Address = $"127.0.0.1:{agent.Host.AppPort}",
            },
            cancellationToken: cancellation),
        cancellation);

    /// <summary>
    /// Requests on raw connections, one after the other; nothing is retried. A connection that was closed after an answer said that it would be
    /// is opened again.
    /// </summary>
    private static async Task<int> LoadAsync(Uri url, bool keepAlive, CancellationToken enough)
    {
        var request = Encoding.ASCII.GetBytes($"GET /health HTTP/1.1\r\nHost: demo\r\n{(keepAlive ? "" : "Connection: close\r\n")}\r\n");
        TcpClient? connection = null;
        var answered = 0;
        try
        {
            for (; !enough.IsCancellationRequested; answered++)
            {
                if (connection is null)
                {
                    connection = new TcpClient();
                    await connection.ConnectAsync(IPAddress.Loopback, url.Port, CancellationToken.None);
                }

                await connection.GetStream().WriteAsync(request, CancellationToken.None);
                var head = await AnswerAsync(connection.GetStream());
                Assert.That(head, Does.StartWith("HTTP/1.1 200"), $"after {answered} answers, keep-alive {keepAlive}");
                if (!head.Contains("connection: close", StringComparison.OrdinalIgnoreCase)) continue;
                connection.Dispose();
                connection = null;
            }
        }
        finally
        {
            connection?.Dispose();
        }

        return answered;
    }

    private static async Task<string> AnswerAsync(NetworkStream stream)
    {
        var seen = new StringBuilder();
        var buffer = new byte[4096];
        while (true)
        {
            var read = await stream.ReadAsync(buffer, CancellationToken.None);
            seen.Append(Encoding.ASCII.GetString(buffer, 0, read));
            var text = seen.ToString();
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            var length = text.IndexOf("content-length: ", StringComparison.OrdinalIgnoreCase);
            if (end >= 0 && length >= 0 && length < end)
            {
                var value = text[(length + 16)..text.IndexOf('\r', length)];
                if (text.Length >= end + 4 + int.Parse(value, System.Globalization.CultureInfo.InvariantCulture)) return text[..end];
            }

            if (read == 0) return text;
        }
    }
}
