using System.Net;
using System.Net.Sockets;
using Decant.Agent.Elixir;
using Microsoft.Extensions.Logging.Abstractions;

namespace Decant.Agent.Tests.Elixir;

internal sealed class EpmdTests
{
    [Test]
    [CancelAfter(30_000)]
    public async Task Whoever_answers_without_end_in_epmds_place_is_no_epmd_and_takes_no_memory(CancellationToken cancellation)
    {
        await using var host = await AgentHost.CreateAsync();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var epmd = new Epmd(
            host.Configuration with { EpmdPort = ((IPEndPoint)listener.LocalEndpoint).Port }, host.Supervisor, TimeProvider.System, NullLogger<Epmd>.Instance);
        var sent = SendAsync(listener, cancellation);

        var isRegistered = await epmd.IsRegisteredAsync(NodeName.Parse("demo@127.0.0.1"), cancellation);

        Assert.That(isRegistered, Is.False);
        Assert.That(await sent, Is.LessThan(64L << 20), "what the kernel's buffers hold besides");
    }

    private static async Task<long> SendAsync(TcpListener listener, CancellationToken cancellation)
    {
        using var client = await listener.AcceptTcpClientAsync(cancellation);
        var stream = client.GetStream();
        var names = new byte[64 << 10];
        for (long sent = 0; ; sent += names.Length)
        {
            try
            {
                await stream.WriteAsync(names, cancellation);
            }
            catch (IOException)
            {
                // The agent has hung up.
                return sent;
            }
        }
    }
}
