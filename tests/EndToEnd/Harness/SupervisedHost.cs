using Decant.V1;

namespace Decant.EndToEnd.Harness;

/// <summary>A host whose agent has one of the supervisors, with a release of the demo app staged: what is asked of all supervisors alike.</summary>
internal abstract class SupervisedHost : IAsyncDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("decant-e2e-").FullName;

    /// <summary>Calls its agent.</summary>
    public abstract AgentClient Client { get; }

    /// <summary>What is staged.</summary>
    public ReleaseRef Release { get; private set; } = new();

    /// <summary>Starts one.</summary>
    /// <param name="supervisor"><c>process</c>, beside the tests, or <c>systemd</c>, on a booted host.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<SupervisedHost> StartAsync(string supervisor, CancellationToken cancellation)
    {
        SupervisedHost host = supervisor == "process"
            ? new Lone(await LoneAgent.StartAsync(cancellation, "restart: { backoff_min: 50ms, backoff_max: 200ms }"))
            : new Booted(await AgentOnHost.BootAsync("web1", cancellation, "restart: { backoff_min: 50ms, backoff_max: 200ms }"));
        try
        {
            host.Release = await host.StageAsync("1.0.0", cancellation);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Builds a version of the demo app and stages it.</summary>
    public async Task<ReleaseRef> StageAsync(string version, CancellationToken cancellation)
    {
        var archive = await File.ReadAllBytesAsync(await DemoRelease.BuildAsync(version, directory, cancellation), cancellation);
        var release = AgentClient.Announce(version, archive);
        await Client.StageAsync("demo", release, archive, cancellation);
        return release;
    }

    /// <summary>How the demo app runs in a slot of this host.</summary>
    public abstract SlotSpec Spec(string slot, params (string Name, string Value)[] variables);

    /// <summary>Starts what is staged and waits until it is healthy.</summary>
    public async Task<Instance> StartedAsync(string slot, SlotSpec spec, CancellationToken cancellation)
    {
        await AgentClient.ResultAsync(
            Client.Instances.Start(
                new StartRequest { Operation = AgentClient.NewOperation(), App = "demo", Slot = slot, Release = Release, Spec = spec }, cancellationToken: cancellation),
            cancellation);
        await AgentClient.ResultAsync(
            Client.Instances.AwaitHealthy(
                new AwaitHealthyRequest
                {
                    Operation = AgentClient.NewOperation(),
                    App = "demo",
                    Slot = slot,
                    Release = Release,
                    Health = new HealthCheck { Http = new HttpCheck { Path = "/health" }, Rise = 1 },
                },
                cancellationToken: cancellation),
            cancellation);
        return await InstanceAsync(slot, cancellation);
    }

    /// <summary>Stops what runs in a slot.</summary>
    public async Task<StopResult> StoppedAsync(string slot, CancellationToken cancellation, double script = 20, double term = 10) => (await AgentClient.ResultAsync(
        Client.Instances.Stop(
            new StopRequest
            {
                Operation = AgentClient.NewOperation(),
                App = "demo",
                Slot = slot,
                ScriptTimeout = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromSeconds(script)),
                TermTimeout = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromSeconds(term)),
            },
            cancellationToken: cancellation),
        cancellation)).Stop;

    /// <summary>A slot as the agent has it.</summary>
    public async Task<Instance> InstanceAsync(string slot, CancellationToken cancellation)
        => await Client.Instances.GetInstanceAsync(new GetInstanceRequest { App = "demo", Slot = slot }, cancellationToken: cancellation);

    /// <summary>Evaluates an expression for a slot, and returns what it printed.</summary>
    public async Task<string> EvaluatedAsync(string slot, string expression, bool separate, CancellationToken cancellation)
    {
        using var call = Client.Instances.Evaluate(
            new EvaluateRequest { Operation = AgentClient.NewOperation(), App = "demo", Slot = slot, Expression = expression, SeparateVm = separate },
            cancellationToken: cancellation);
        var printed = new List<string>();
        while (await call.ResponseStream.MoveNext(cancellation))
        {
            if (call.ResponseStream.Current.Output is { } output) printed.Add(output.Text);
        }

        return string.Join('\n', printed);
    }

    /// <summary>Whether a process of the host lives.</summary>
    public async Task<bool> LivesAsync(uint pid, CancellationToken cancellation) => (await RunAsync($"kill -0 {pid}", cancellation)).ExitCode == 0;

    /// <summary>Runs a line of a shell on the host, as root.</summary>
    public abstract Task<CommandResult> RunAsync(string line, CancellationToken cancellation);

    /// <summary>kill -9 of the agent, and a new one.</summary>
    public abstract Task ReplaceAgentAsync(CancellationToken cancellation);

    /// <summary>The agent ends as its host's administrator wants it.</summary>
    public abstract Task StopAgentAsync(CancellationToken cancellation);

    /// <summary>It begins again.</summary>
    public abstract Task StartAgentAsync(CancellationToken cancellation);

    /// <summary>What the agent logged, for failure reports.</summary>
    public abstract Task<string> LogAsync();

    public virtual ValueTask DisposeAsync()
    {
        Directory.Delete(directory, recursive: true);
        return ValueTask.CompletedTask;
    }

    private sealed class Lone(LoneAgent agent) : SupervisedHost
    {
        private readonly FreePorts ports = new();

        public override AgentClient Client => agent.Client;

        public override SlotSpec Spec(string slot, params (string Name, string Value)[] variables) => Spec(slot, ports.Next(), variables);

        public override Task<CommandResult> RunAsync(string line, CancellationToken cancellation)
            => CommandResult.RunAsync("/bin/bash", ["-c", line], cancellation);

        public override async Task ReplaceAgentAsync(CancellationToken cancellation)
        {
            await agent.Host.KillAgentAsync();
            await agent.Host.StartAgentAsync(cancellation);
        }

        public override Task StopAgentAsync(CancellationToken cancellation) => agent.Host.StopAgentAsync(cancellation);

        public override Task StartAgentAsync(CancellationToken cancellation) => agent.Host.StartAgentAsync(cancellation);

        public override Task<string> LogAsync() => Task.FromResult(agent.Host.Agent.Output);

        public override async ValueTask DisposeAsync()
        {
            await agent.DisposeAsync();
            ports.Dispose();
            await base.DisposeAsync();
        }
    }

    private sealed class Booted(AgentOnHost agent) : SupervisedHost
    {
        private int port = 4000;

        public override AgentClient Client => agent.Client;

        public override SlotSpec Spec(string slot, params (string Name, string Value)[] variables) => Spec(slot, Interlocked.Increment(ref port), variables);

        public override Task<CommandResult> RunAsync(string line, CancellationToken cancellation) => agent.Host.RunAsync(line, cancellation);

        public override async Task ReplaceAgentAsync(CancellationToken cancellation)
        {
            var before = await agent.UnitAsync("decantd", "MainPID", cancellation);
            await agent.Host.DoneAsync("systemctl kill --signal=KILL decantd", cancellation);
            await Eventually.TrueAsync(
                async () => await agent.UnitAsync("decantd", "MainPID,ActiveState", cancellation) is var now
                    && now["ActiveState"] == "active" && now["MainPID"] != before["MainPID"],
                "the next agent",
                cancellation);
        }

        public override Task StopAgentAsync(CancellationToken cancellation) => agent.Host.DoneAsync("systemctl stop decantd", cancellation);

        public override Task StartAgentAsync(CancellationToken cancellation) => agent.Host.DoneAsync("systemctl start decantd", cancellation);

        public override Task<string> LogAsync() => agent.Host.JournalAsync();

        public override async ValueTask DisposeAsync()
        {
            await agent.DisposeAsync();
            await base.DisposeAsync();
        }
    }

    private static SlotSpec Spec(string slot, int port, (string Name, string Value)[] variables)
    {
        var spec = new SlotSpec { Port = (uint)port, Node = $"demo-{slot}-{port}@127.0.0.1", Env = { ["DEMO_WARMUP_MS"] = "0" } };
        foreach (var (name, value) in variables) spec.Env[name] = value;
        return spec;
    }
}
