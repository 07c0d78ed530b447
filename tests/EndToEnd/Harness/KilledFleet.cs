using System.Text;
using System.Text.Json;
using Decant.Load;

namespace Decant.EndToEnd.Harness;

/// <summary>A fleet in which releases replace one another under load while its agents and its controller are killed at points of their journals.</summary>
internal sealed class KilledFleet : IAsyncDisposable
{
    // Before the plan there are as many as there are agents: each, asked for its lease, may die.
    private const int MostActs = 4;

    private readonly TestFleet fleet;
    private readonly CancellationTokenSource ending = new();
    private readonly StringBuilder agentsSaid = new();
    private readonly List<Task> supervisors = [];
    private List<string> archives = [];
    private Dictionary<string, int> processes = [];
    private int rounds;
    private int restarts;
    private int restartsBefore;
    private string lastDeployment = "";

    private KilledFleet(TestFleet fleet, KillPoints controller, IReadOnlyList<KillPoints> agents)
        => (this.fleet, Controller, Agents) = (fleet, controller, agents);

    public KillPoints Controller { get; }

    /// <summary>In the order of the fleet's hosts, the balancer's last.</summary>
    public IReadOnlyList<KillPoints> Agents { get; }

    private IEnumerable<TestHost> Hosts => fleet.Hosts.Append(fleet.BalancerHost);

    /// <summary>Starts two hosts and their balancer, and deploys a first release: then the points have been counted once.</summary>
    /// <param name="kind">The balancer.</param>
    /// <param name="twoSlots">Each host has two.</param>
    /// <param name="strategy">Lines of the manifest's.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<KilledFleet> StartAsync(FrontKind kind, bool twoSlots, string strategy, CancellationToken cancellation)
    {
        var fleet = await TestFleet.StartAsync(2, cancellation, kind, twoSlots);
        try
        {
            var library = await KillPoints.CompileAsync(fleet.Directory, cancellation);
            var killed = new KilledFleet(
                fleet,
                new KillPoints("controller", library, fleet.Journal),
                [.. fleet.Hosts.Append(fleet.BalancerHost).Select(h => new KillPoints(h.Name, library, Path.Combine(h.Data, "agent.db")))]);
            await killed.BeginAsync(strategy, cancellation);
            return killed;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    /// <summary>Deploys the next release under load, while programs die.</summary>
    /// <param name="chosen">The number of the point at which each dies; a program that is not among them lives.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<KillRound> RoundAsync(IReadOnlyDictionary<KillPoints, int> chosen, CancellationToken cancellation)
    {
        var archive = archives[++rounds % archives.Count];
        await fleet.ForgetMigrationsAsync(cancellation);
        foreach (var program in Agents.Append(Controller)) program.Choose(chosen.GetValueOrDefault(program));
        lock (agentsSaid) agentsSaid.Clear();
        restartsBefore = Volatile.Read(ref restarts);
        var load = LoadRun.Start(new LoadOptions(
            fleet.Url, FastRate: 30, NewConnectionRate: 10, SlowRate: 3, SlowTime: TimeSpan.FromMilliseconds(300), StreamRate: 0, UploadRate: 1));
        var told = new StringBuilder();
        var acts = new List<string>();
        var wrong = new List<string>();
        LoadReport report;
        try
        {
            await DeployAsync(archive, acts, wrong, told, cancellation);
            await AgentsRunAsync(cancellation);
        }
        finally
        {
            report = await load.StopAsync();
        }

        if (report.Failed > 0) wrong.Add($"{report.Failed} requests failed: {string.Join(", ", report.Failures)}");
        await FindWrongAsync(VersionOf(archive), acts, wrong, cancellation);
        var output = told.ToString();
        var died = new List<KillDeath>();
        foreach (var (program, host) in Agents.Zip(Hosts).Where(a => a.First.Death > 0))
        {
            var (at, isAfter) = program.Point(program.Death);
            died.Add(new KillDeath(program.Name, program.Death, isAfter, KillPointPlace.OfAgent(output, host.AgentAddress, at)));
        }

        if (Controller.Death is > 0 and var death)
        {
            var (at, isAfter) = Controller.Point(death);
            died.Add(new KillDeath(Controller.Name, death, isAfter, KillPointPlace.OfController(output, at)));
        }

        lock (agentsSaid) return new KillRound(died, acts, wrong, $"{output}\n{report}\n{agentsSaid}\n{fleet.AgentLogs()}");
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await Task.WhenAll(supervisors).ContinueWith(_ => { }, TaskScheduler.Default);
        await fleet.DisposeAsync();
        ending.Dispose();
    }

    private async Task BeginAsync(string strategy, CancellationToken cancellation)
    {
        foreach (var (host, points) in Hosts.Zip(Agents))
        {
            await host.StopAgentAsync(cancellation);
            host.AgentVariables = points.Variables;
            await host.StartAgentAsync(cancellation);
        }

        fleet.ControllerVariables = Controller.Variables;
        fleet.WriteManifest(strategy);
        // The two that were staged last stay, and the last good one. With three that take turns, each has to be staged again.
        await File.AppendAllTextAsync(fleet.Manifest, "\nreleases: { keep: 2 }\n", cancellation);
        var built = new List<string>();
        foreach (var version in (string[])["5.0.0", "5.0.1", "5.0.2"]) built.Add(await DemoRelease.BuildAsync(version, fleet.Directory, cancellation));
        archives = built;
        foreach (var program in Agents.Append(Controller)) program.Choose(0);
        var first = await fleet.DecantAsync(cancellation, "deploy", archives[0], "--json");
        if (first.ExitCode != 0) throw new TestException($"{first.Everything}\n{fleet.AgentLogs()}");
        lastDeployment = DeploymentEvents.In(first.Output).Deployment;
        processes = Processes();
        supervisors.AddRange(Hosts.Select(SuperviseAsync));
    }

    /// <summary>Starts an agent again whenever it dies, as systemd does.</summary>
    private async Task SuperviseAsync(TestHost host)
    {
        while (true)
        {
            await host.Agent.WaitForExitAsync(ending.Token);
            lock (agentsSaid) agentsSaid.Append($"--- {host.Name}, until it died\n{host.Agent.Output}\n");
            await host.KillAgentAsync();
            await host.StartAgentAsync(ending.Token);
            Interlocked.Increment(ref restarts);
        }
    }

    /// <summary>Waits until those that died run again.</summary>
    private async Task AgentsRunAsync(CancellationToken cancellation)
    {
        var deaths = Agents.Count(a => a.Death > 0);
        await Eventually.TrueAsync(
            () => Task.FromResult(Volatile.Read(ref restarts) == restartsBefore + deaths || supervisors.Any(s => s.IsFaulted)), "the agents run again", cancellation);
        await Task.WhenAll(supervisors.Where(s => s.IsFaulted));
    }

    /// <summary>Deploys, and does what is said to be done next until that is nothing.</summary>
    private async Task DeployAsync(string archive, List<string> acts, List<string> wrong, StringBuilder told, CancellationToken cancellation)
    {
        string[] command = ["deploy", archive, "--json"];
        while (true)
        {
            await using var running = fleet.StartDecant(command);
            var exitCode = await running.WaitForExitAsync(cancellation);
            told.Append($"$ decant {string.Join(' ', command)}\n{running.Output}\nexit code {exitCode}\n");
            var (id, status, next) = await ShownAsync(cancellation);
            // What died after the last word was written down had nothing more to do.
            if (exitCode == 0 || (id != lastDeployment && status == "succeeded"))
            {
                lastDeployment = id;
                return;
            }

            if (acts.Count == MostActs)
            {
                wrong.Add($"it did not end: exit code {exitCode}, {status}");
                return;
            }

            var isResumed = id != lastDeployment && (status == "interrupted" || next.Contains($"decant resume {id}", StringComparison.Ordinal));
            acts.Add($"{(isResumed ? "resumed" : "deployed again")} after exit code {exitCode}{(id == lastDeployment ? ", before anything was written" : $", {status}")}");
            command = isResumed ? ["resume", id, "--json"] : ["deploy", archive, "--again", "--json"];
            if (!isResumed) lastDeployment = id;
            await AgentsRunAsync(cancellation);
        }
    }

    /// <summary>The last deployment that the journal knows.</summary>
    private async Task<(string Id, string Status, string WhatNext)> ShownAsync(CancellationToken cancellation)
    {
        var shown = await fleet.DecantAsync(cancellation, "show", "--json");
        if (shown.ExitCode != 0) throw new TestException(shown.Everything);
        using var deployment = JsonDocument.Parse(shown.Output);
        return (Text("deployment"), Text("status"), Text("what_next"));

        string Text(string name) => deployment.RootElement.GetProperty(name).GetString() ?? "";
    }

    private async Task FindWrongAsync(string version, List<string> acts, List<string> wrong, CancellationToken cancellation)
    {
        using (var http = new HttpClient())
        {
            http.DefaultRequestHeaders.ConnectionClose = true;
            for (var request = 0; request < 6; request++)
            {
                var served = (await http.GetStringAsync(new Uri(fleet.Url, "/version"), cancellation)).Trim();
                if (served != version) wrong.Add($"{served} is served instead of {version}");
            }
        }

        try
        {
            await Eventually.TrueAsync(() => Task.FromResult(Processes().OrderBy(p => p.Key).SequenceEqual(processes.OrderBy(p => p.Key))), "processes", cancellation);
        }
        catch (TestException)
        {
            wrong.Add($"processes: {Listed(Processes())} instead of {Listed(processes)}");
        }

        foreach (var host in fleet.Hosts)
        {
            var releases = Directory.GetFileSystemEntries(Path.Combine(host.Data, "releases", "demo")).Select(Path.GetFileName).ToList();
            if (releases.Count > 3) wrong.Add($"{host.Name} has the releases {string.Join(", ", releases)}");
            var uploads = Path.Combine(host.Data, "uploads", "demo");
            var uploaded = Directory.Exists(uploads) ? Directory.GetFiles(uploads).Select(Path.GetFileName).ToList() : [];
            if (uploaded.Count > 0) wrong.Add($"{host.Name} has the uploads {string.Join(", ", uploaded)}");
        }

        // Somebody who deploys again wants what is left of it migrated; nobody else does.
        var migrations = await fleet.MigrationRunsAsync(version, cancellation);
        var wanted = 1 + acts.Count(a => a.StartsWith("deployed again", StringComparison.Ordinal));
        if (migrations < 1 || migrations > wanted) wrong.Add($"migrated {migrations} times");
        // An agent that has just taken its instances over asks them first how they are.
        CommandResult? status = null;
        try
        {
            await Eventually.TrueAsync(
                async () => (status = await fleet.DecantAsync(cancellation, "status", "--check")).ExitCode == 0, "all is as it should be", cancellation);
        }
        catch (TestException)
        {
            wrong.Add($"decant status --check: {status!.Everything}");
        }
    }

    /// <summary>How many there are of each program of the fleet.</summary>
    private Dictionary<string, int> Processes() => LeftProcesses.Find(fleet.Directory)
        .Select(ProgramOf)
        .Where(name => name is "beam.smp" or "decantd" or "decant")
        .GroupBy(name => name)
        .ToDictionary(g => g.Key, g => g.Count());

    private static string ProgramOf(int pid)
    {
        try
        {
            return File.ResolveLinkTarget($"/proc/{pid}/exe", returnFinalTarget: false)?.Name ?? "";
        }
        catch (IOException)
        {
            // It ended in between.
            return "";
        }
    }

    private static string Listed(Dictionary<string, int> counts) => string.Join(", ", counts.Select(p => $"{p.Value} {p.Key}"));

    private static string VersionOf(string archive) => Path.GetFileName(archive)["demo-".Length..^".tar.gz".Length];
}
