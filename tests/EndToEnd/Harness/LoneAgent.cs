using Decant.V1;

namespace Decant.EndToEnd.Harness;

/// <summary>One agent, without balancers and controller, for tests of the agent as a daemon.</summary>
internal sealed class LoneAgent : IAsyncDisposable
{
    private readonly FreePorts ports = new();

    private LoneAgent(string more, string diskFloor)
    {
        Directory = System.IO.Directory.CreateTempSubdirectory("decant-e2e-").FullName;
        Host = new TestHost("web1", Directory, ports.Next(), ports.Next(), ports.Next(), more, diskFloor);
        Client = new AgentClient(Host);
    }

    public string Directory { get; }

    public TestHost Host { get; }

    public AgentClient Client { get; }

    /// <summary>How the demo app runs on this host.</summary>
    public SlotSpec Spec => new() { Port = (uint)Host.AppPort, Node = $"demo-{Host.AppPort}@127.0.0.1", Env = { ["DEMO_WARMUP_MS"] = "50" } };

    /// <summary>Where an agent would run; it is not started.</summary>
    /// <param name="more">More of agent.yml.</param>
    /// <param name="diskFloor">limits.disk_floor.</param>
    public static LoneAgent Prepare(string more = "", string diskFloor = "16MiB") => new(more, diskFloor);

    /// <summary>A running agent.</summary>
    public static async Task<LoneAgent> StartAsync(CancellationToken cancellation, string more = "", string diskFloor = "16MiB")
    {
        var agent = new LoneAgent(more, diskFloor);
        try
        {
            await agent.Host.StartAgentAsync(cancellation);
            return agent;
        }
        catch
        {
            await agent.DisposeAsync();
            throw;
        }
    }

    /// <summary>An archive of the demo app and what it is announced as.</summary>
    public async Task<(byte[] Archive, ReleaseRef Release)> BuildAsync(string version, CancellationToken cancellation)
    {
        var archive = await File.ReadAllBytesAsync(await DemoRelease.BuildAsync(version, Directory, cancellation), cancellation);
        return (archive, AgentClient.Announce(version, archive));
    }

    /// <summary>The demo app, staged and started in the slot <c>main</c>.</summary>
    public async Task<ReleaseRef> StartReleaseAsync(CancellationToken cancellation)
    {
        var (archive, release) = await BuildAsync("1.0.0", cancellation);
        await Client.StageAsync("demo", release, archive, cancellation);
        await AgentClient.ResultAsync(
            Client.Instances.Start(
                new StartRequest { Operation = AgentClient.NewOperation(), App = "demo", Slot = "main", Release = release, Spec = Spec },
                cancellationToken: cancellation),
            cancellation);
        await Eventually.TrueAsync(() => ServesAsync(cancellation), "the release is ready", cancellation);
        return release;
    }

    /// <summary>Whether the release answers and says that it is ready: it listens before it is warm.</summary>
    public async Task<bool> ServesAsync(CancellationToken cancellation)
    {
        using var http = new HttpClient();
        try
        {
            return (await http.GetStringAsync($"http://127.0.0.1:{Host.AppPort}/health", cancellation)).Length > 0;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        await LeftProcesses.KillAsync(Directory);
        ports.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
