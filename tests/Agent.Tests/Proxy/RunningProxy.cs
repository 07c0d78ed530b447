using System.Net;
using System.Net.WebSockets;
using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Agent.Proxy;
using Decant.Agent.Tests.Balancers;
using Decant.Names;

namespace Decant.Agent.Tests.Proxy;

/// <summary>The embedded proxy in this process, on a port of its own, with the balancer that drives it.</summary>
internal sealed class RunningProxy : IAsyncDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly ProxySettings settings;
    private readonly HttpClient client = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(30) };
    private ProxyHost? host;

    private RunningProxy(ProxySettings settings)
    {
        this.settings = settings with { Socket = directory["proxy.sock"] };
        Balancer = new EmbeddedBalancer(BalancerName.Parse("proxy"), new BalancerSettings.Embedded(this.settings.Socket), TimeProvider.System);
    }

    public static MemberName Shop { get; } = MemberName.Parse("shop");

    public EmbeddedBalancer Balancer { get; }

    public RecordedReport Report { get; } = new();

    public HttpClient Client => client;

    public string StateFile => directory["state.json"];

    public Uri Url { get; private set; } = null!;

    public static async Task<RunningProxy> StartAsync(params TestUpstream[] members) => await StartAsync(new ProxySettings(), members);

    public static async Task<RunningProxy> StartAsync(ProxySettings settings, params TestUpstream[] members)
    {
        var proxy = new RunningProxy(settings with { Listen = [new IPEndPoint(IPAddress.Loopback, 0)] });
        await proxy.RunAsync();
        foreach (var member in members) await proxy.PutInAsync(member);
        return proxy;
    }

    public static MemberKey Key(TestUpstream member) => new(Shop, MemberName.Parse(member.Name));

    public static PutIn In(TestUpstream member, int weight = PutIn.FullWeight) => new(MemberName.Parse(member.Name), member.Address, weight);

    public Task<Agent.Operations.Undrained> PutInAsync(TestUpstream member, int weight = PutIn.FullWeight)
        => Balancer.UndrainAsync(Shop, In(member, weight), TimeSpan.FromSeconds(10), Report, default);

    public Task<Agent.Operations.Drained> DrainAsync(TestUpstream member, double seconds = 20, int others = 0, LongLivedPolicy? longLived = null)
        => Balancer.DrainAsync(Key(member), new DrainOptions(TimeSpan.FromSeconds(seconds), others, longLived), Report, default);

    /// <summary>A member as the balancer sees it.</summary>
    public async Task<Member> SeeAsync(TestUpstream member) => (await Balancer.ReadBackendAsync(Shop, default)).Find(MemberName.Parse(member.Name))!;

    /// <summary>Waits until a member is seen so.</summary>
    public Task UntilAsync(TestUpstream member, Func<Member, bool> condition, string what)
        => Eventually.TrueAsync(async () => condition(await SeeAsync(member)), what);

    public Task<string> GetAsync(string path) => client.GetStringAsync(new Uri(Url, path));

    public async Task<ClientWebSocket> OpenWebSocketAsync()
    {
        var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{Url.Port}/ws"), default);
        return socket;
    }

    /// <summary>Starts it (again).</summary>
    public async Task RunAsync()
    {
        host = new ProxyHost(settings, StateFile, [], _ => { }, TimeProvider.System);
        await host.StartAsync(default);
        Url = new Uri(host.Addresses.Single());
    }

    public async Task StopAsync()
    {
        if (host is null) return;
        await host.StopAsync();
        await host.DisposeAsync();
        host = null;
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        Balancer.Dispose();
        await StopAsync();
        directory.Dispose();
    }
}
