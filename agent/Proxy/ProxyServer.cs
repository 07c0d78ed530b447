using System.Text;
using Decant.Agent.Configuration;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace Decant.Agent.Proxy;

/// <summary>The two sides at which the proxy listens: clients, and the agent.</summary>
internal sealed class ProxyServer : IDisposable
{
    /// <summary>How long clients have for one more request, with whose answer they are told to close, before idle connections are closed.</summary>
    private static readonly TimeSpan LastRequests = TimeSpan.FromMilliseconds(250);

    private readonly FrontTransport transport;
    private readonly KestrelServer front;
    private readonly KestrelServer admin;
    private readonly ProxySettings settings;
    private readonly Forwarding forwarding;
    private readonly ProxyAdmin agentSide;
    private readonly IServiceProvider services;

    public ProxyServer(ProxySettings settings, IReadOnlyList<int> passed, Forwarding forwarding, ProxyAdmin agentSide, IServiceProvider services)
    {
        (this.settings, this.forwarding, this.agentSide, this.services) = (settings, forwarding, agentSide, services);
        var logs = services.GetRequiredService<ILoggerFactory>();
        var sockets = Options.Create(new SocketTransportOptions
        {
            Backlog = 4096,
            // Nothing in the pipeline blocks, so the thread that reads a socket can as well go on with what it read.
            UnsafePreferInlineScheduling = true,
            // One system call less for each request, for 4 KB more of each idle connection.
            WaitForDataBeforeAllocatingBuffer = false,
        });
        transport = new FrontTransport(new SocketTransportFactory(sockets, logs));
        front = new KestrelServer(Options.Create(Front(passed)), transport, logs);
        admin = new KestrelServer(Options.Create(Admin()), new SocketTransportFactory(Options.Create(new SocketTransportOptions()), logs), logs);
    }

    /// <summary>Where clients reach it.</summary>
    public IReadOnlyCollection<string> Addresses
        => [.. front.Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Where(a => !a.EndsWith(FrontTransport.Http2.ToString()!, StringComparison.Ordinal))];

    /// <summary>Listens: to the agent first.</summary>
    /// <exception cref="IOException">An address is taken.</exception>
    public async Task StartAsync(CancellationToken cancellation)
    {
        await admin.StartAsync(new PlainApplication(agentSide.HandleAsync), cancellation);
        File.SetUnixFileMode(settings.Socket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await front.StartAsync(new PlainApplication(forwarding.HandleAsync), cancellation);
    }

    /// <summary>
    /// Ends without losing a request: accepts no more connections (they wait in the socket, when that is the service manager's), lets what is
    /// in flight finish until the deadline, and answers the agent until then.
    /// </summary>
    public async Task StopAsync(ProxyBackends backends)
    {
        forwarding.BeginStop();
        await transport.StopAcceptingAsync();
        var begun = TimeProvider.System.GetTimestamp();
        while (transport.Connections > 0 && TimeProvider.System.GetElapsedTime(begun) < LastRequests) await Task.Delay(5);

        await Task.WhenAll(backends.All.SelectMany(b => b.Members).SelectMany(m => m.LongLived).Select(c => c.CloseAsync()));
        using var deadline = new CancellationTokenSource(settings.StopDeadline);
        await front.StopAsync(deadline.Token);
        agentSide.BeginStop();
        await admin.StopAsync(deadline.Token);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        front.Dispose();
        admin.Dispose();
    }

    private KestrelServerOptions Front(IReadOnlyList<int> passed)
    {
        var options = Plain();
        options.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
        options.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
        // The app behind says what it takes; a proxy that cuts uploads or slow downloads short only surprises.
        options.Limits.MaxRequestBodySize = null;
        options.Limits.MinRequestBodyDataRate = null;
        options.Limits.MinResponseDataRate = null;
        options.Limits.Http2.MaxStreamsPerConnection = 250;
        options.Limits.Http2.InitialStreamWindowSize = 1 << 20;
        options.Limits.Http2.InitialConnectionWindowSize = 2 << 20;
        foreach (var descriptor in passed) options.ListenHandle((ulong)descriptor, FirstHttp1);
        if (passed.Count == 0) foreach (var address in settings.Listen) options.Listen(address, FirstHttp1);
        options.Listen(FrontTransport.Http2, listen => listen.Protocols = HttpProtocols.Http2);
        return options;
    }

    private KestrelServerOptions Admin()
    {
        var options = Plain();
        options.ListenUnixSocket(settings.Socket, listen => listen.Protocols = HttpProtocols.Http1);
        return options;
    }

    private KestrelServerOptions Plain() => new() { ApplicationServices = services, AddServerHeader = false };

    private void FirstHttp1(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(transport.Sort);
    }
}
