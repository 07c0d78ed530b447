using Decant.Agent.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace Decant.Agent.Proxy;

/// <summary>The embedded proxy, put together: what it is made of, in order.</summary>
internal sealed class ProxyHost : IAsyncDisposable
{
    private readonly ServiceProvider services;
    private readonly ProxyChanges changes;
    private readonly ProxyAdmin admin;
    private readonly ProxyServer server;

    /// <summary>Puts it together.</summary>
    /// <param name="settings">What agent.yml says.</param>
    /// <param name="stateFile">Absolute path; its directory is there.</param>
    /// <param name="passed">Listening sockets of the service manager; none: its own.</param>
    /// <param name="logging">Where it logs to.</param>
    /// <param name="time">The clock.</param>
    public ProxyHost(ProxySettings settings, string stateFile, IReadOnlyList<int> passed, Action<ILoggingBuilder> logging, TimeProvider time)
    {
        services = new ServiceCollection().AddLogging(logging).AddHttpForwarder().BuildServiceProvider();
        Backends = new ProxyBackends(settings, time);
        changes = new ProxyChanges(Backends, new ProxyStateFile(stateFile), time);
        admin = new ProxyAdmin(Backends, changes, new LongLivedClosing(time));
        var forwarding = new Forwarding(
            Backends, services.GetRequiredService<IHttpForwarder>(), settings, time, services.GetRequiredService<ILogger<Forwarding>>());
        server = new ProxyServer(settings, passed, forwarding, admin, services);
    }

    /// <summary>Its backends.</summary>
    public ProxyBackends Backends { get; }

    /// <summary>Where clients reach it.</summary>
    public IReadOnlyCollection<string> Addresses => server.Addresses;

    /// <summary>Its log.</summary>
    public ILogger<ProxyHost> Logger => services.GetRequiredService<ILogger<ProxyHost>>();

    /// <summary>Takes up the state of its predecessor and listens.</summary>
    /// <exception cref="IOException">An address is taken.</exception>
    /// <exception cref="InvalidDataException">The state file is not one.</exception>
    public async Task StartAsync(CancellationToken cancellation)
    {
        changes.Restore();
        await server.StartAsync(cancellation);
    }

    /// <summary>Ends without losing a request, at the latest at the stop deadline.</summary>
    public Task StopAsync() => server.StopAsync(Backends);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        server.Dispose();
        admin.Dispose();
        changes.Dispose();
        Backends.Dispose();
        await services.DisposeAsync();
    }
}
