namespace Decant.EndToEnd.Harness;

/// <summary>A booted host with the agent under test installed: units, users and configuration as packages have them, and its program.</summary>
internal sealed class AgentOnHost : IAsyncDisposable
{
    private const string ProgramDirectory = "/usr/lib/decant-tested";

    private AgentOnHost(BootedHost host)
    {
        Host = host;
        Client = new AgentClient(host.Channel);
    }

    /// <summary>The host.</summary>
    public BootedHost Host { get; }

    /// <summary>Calls its agent.</summary>
    public AgentClient Client { get; }

    /// <summary>Boots a host on which the agent runs as a service.</summary>
    /// <param name="name">Its host name.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="configuration">More of agent.yml.</param>
    /// <param name="space">Its network namespace; null: one of its own.</param>
    /// <param name="prepare">Changes its root further before it boots.</param>
    public static async Task<AgentOnHost> BootAsync(
        string name, CancellationToken cancellation, string configuration = "", string? space = null, Func<string, Task>? prepare = null)
    {
        var host = await BootedHost.BootAsync(
            name,
            async root =>
            {
                await InstallAsync(root, $"host: {name}\nlimits: {{ disk_floor: 16MiB }}\n{configuration}\n", cancellation);
                if (prepare is not null) await prepare(root);
            },
            cancellation,
            space,
            Binds());
        var agent = new AgentOnHost(host);
        try
        {
            if ((await agent.UnitAsync("decantd", "ActiveState", cancellation))["ActiveState"] != "active")
                throw new TestException($"{name} booted, but its agent does not run:\n{await host.JournalAsync()}");
            return agent;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>What systemd says of a unit: values of properties, in the order in which it prints them.</summary>
    public async Task<IReadOnlyDictionary<string, string>> UnitAsync(string unit, string properties, CancellationToken cancellation)
        => (await Host.DoneAsync($"systemctl show {unit} -p {properties}", cancellation))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split('=', 2))
            .ToDictionary(parts => parts[0], parts => parts[1]);

    public ValueTask DisposeAsync() => Host.DisposeAsync();

    private static async Task InstallAsync(string root, string configuration, CancellationToken cancellation)
    {
        var packaging = Path.Combine(Programs.Repository, "packaging");
        var done = await CommandResult.RunAsync(
            "/bin/bash",
            ["-ec", $"""
                mkdir -p {root}{ProgramDirectory} {root}/usr/lib/sysusers.d
                ln -s {ProgramDirectory}/decantd {root}/usr/bin/decantd
                cp -rL {packaging}/systemd/. {root}/usr/lib/systemd/system/
                install -m 644 {packaging}/sysusers/decant.conf {root}/usr/lib/sysusers.d/
                systemd-sysusers --root={root} decant.conf
                install -D -m 644 {packaging}/polkit/decant.rules {root}/usr/share/polkit-1/rules.d/decant.rules
                chroot {root} install -d -m 750 -g decant /etc/decant
                install -d -m 700 {root}/etc/decant/apps
                systemctl --root={root} --quiet enable decantd.service
                """],
            cancellation);
        if (done.ExitCode != 0) throw new TestException(done.Everything);
        await File.WriteAllTextAsync(Path.Combine(root, "etc/decant/agent.yml"), configuration, cancellation);
    }

    /// <summary>The program is run from where it was built; one that is not native needs .NET beside it.</summary>
    private static Dictionary<string, string> Binds()
    {
        var binds = new Dictionary<string, string> { [Path.GetDirectoryName(Programs.Decantd)!] = ProgramDirectory };
        if (!File.Exists(Path.ChangeExtension(Programs.Decantd, ".dll"))) return binds;
        var dotnet = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        // …/shared/Microsoft.NETCore.App/10.0.x
        binds[Path.GetFullPath(Path.Combine(dotnet, "../../.."))] = "/usr/share/dotnet";
        return binds;
    }
}
