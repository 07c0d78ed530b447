using System.Net;
using System.Net.Sockets;
using Decant.Agent.Instances;

namespace Decant.Agent.Tests.Instances;

public class ListeningPortsTests
{
    [TestCase("127.0.0.1")]
    [TestCase("0.0.0.0")]
    [TestCase("::1")]
    [TestCase("::")]
    public void Who_listens_is_named_whatever_the_address(string address)
    {
        using var listener = new TcpListener(IPAddress.Parse(address), 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        Assert.That(ListeningPorts.Describe(port), Is.EqualTo($"pid {Environment.ProcessId} ({File.ReadAllText("/proc/self/comm").Trim()})"));
        listener.Stop();
        Assert.That(ListeningPorts.Describe(port), Is.Null);
    }

    [Test]
    public async Task A_port_that_is_only_connected_is_not_taken()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)listener.LocalEndpoint);

        Assert.That(ListeningPorts.Describe(((IPEndPoint)client.Client.LocalEndPoint!).Port), Is.Null);
    }

    [Test]
    public async Task Who_listens_is_named_while_it_opens_and_closes_other_descriptors()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        using var enough = new CancellationTokenSource();
        var busy = Task.Run(() =>
        {
            while (!enough.IsCancellationRequested)
            {
                // The listener's descriptor is the highest but for these: a look at them comes first.
                foreach (var file in Enumerable.Range(0, 20).Select(_ => File.OpenRead("/proc/self/comm")).ToList()) file.Dispose();
            }
        });

        var answers = Enumerable.Range(0, 100).Select(_ => ListeningPorts.Describe(port)).Distinct().ToList();
        await enough.CancelAsync();
        await busy;

        Assert.That(answers, Is.EqualTo(new[] { $"pid {Environment.ProcessId} ({File.ReadAllText("/proc/self/comm").Trim()})" }));
    }
}
