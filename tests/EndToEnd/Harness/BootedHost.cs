using System.Net.Sockets;
using Grpc.Net.Client;

namespace Decant.EndToEnd.Harness;

/// <summary>
/// A Debian host of a test's own, really booted: systemd as process 1 of a container (systemd-nspawn(1)) on an overlay of one shared root
/// (tests/hosts/root.sh). Its own processes, network, cgroups, journal and bus; gone without a trace when it is disposed. Needs root.
/// </summary>
internal sealed class BootedHost : IAsyncDisposable
{
    private readonly string directory;
    private readonly string? space;
    private readonly RunningProgram container;
    private GrpcChannel? channel;

    private BootedHost(string name, string id, string directory, string? space, RunningProgram container)
        => (Name, Id, this.directory, this.space, this.container) = (name, id, directory, space, container);

    /// <summary>Names it among all containers of this machine.</summary>
    public string Id { get; }

    /// <summary>Its host name.</summary>
    public string Name { get; }

    /// <summary>Its files, as they are seen from outside.</summary>
    public string Root => Path.Combine(directory, "root");

    /// <summary>A path that it sees, for this machine: through its first process, so that what it has mounted is there as well.</summary>
    public string Seen(string path) => $"/proc/{Leader()}/root{path}";

    /// <summary>A gRPC channel to its agent's unix socket; finds the agent again after a restart of either.</summary>
    public GrpcChannel Channel => channel ??= GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Seen("/run/decant/decantd.sock")), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        },
        DisposeHttpClient = true,
    });

    /// <summary>Boots a host and waits until it is up.</summary>
    /// <param name="name">Its host name.</param>
    /// <param name="prepare">Changes its root before it boots, which is given as a path.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="space">Its network namespace (<see cref="Network"/>); null: one of its own with nothing but loopback.</param>
    /// <param name="binds">Directories of this machine that it sees read-only, each with the path at which it does.</param>
    public static async Task<BootedHost> BootAsync(
        string name,
        Func<string, Task> prepare,
        CancellationToken cancellation,
        string? space = null,
        IReadOnlyDictionary<string, string>? binds = null)
    {
        var id = $"decant-{Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(4))}-{name}";
        var shared = await SharedRootAsync(cancellation);
        var directory = Directory.CreateTempSubdirectory($"{id}-").FullName;
        var root = Path.Combine(directory, "root");
        RunningProgram? container = null;
        try
        {
            foreach (var part in new[] { "root", "upper", "work" }) Directory.CreateDirectory(Path.Combine(directory, part));
            await RunHereAsync($"mount -t overlay overlay -o lowerdir={shared},upperdir={directory}/upper,workdir={directory}/work {root}", cancellation);
            await File.WriteAllTextAsync(Path.Combine(root, "etc/hostname"), $"{name}\n", cancellation);
            await File.WriteAllTextAsync(Path.Combine(root, "etc/hosts"), $"127.0.0.1 localhost {name}\n", cancellation);
            // Without one systemd takes this for a first boot, and enables all that it finds (machine-id(5)).
            await File.WriteAllTextAsync(Path.Combine(root, "etc/machine-id"), $"{Guid.NewGuid():N}\n", cancellation);
            await prepare(root);
            container = RunningProgram.Start("/usr/bin/setsid", ["/bin/bash", "-ec", Container(id, name, root, space, binds ?? new Dictionary<string, string>())]);
            var host = new BootedHost(name, id, directory, space, container);
            await host.UpAsync(cancellation);
            return host;
        }
        catch
        {
            if (container is not null) await EndAsync(container);
            await CleanAsync(id, directory);
            throw;
        }
    }

    /// <summary>Runs a line of a shell on it, as root.</summary>
    public Task<CommandResult> RunAsync(string line, CancellationToken cancellation, string shell = "/bin/sh")
    {
        if (Leader() is not { } leader) throw new TestException($"{Name} is not up:\n{container.Output}");
        return CommandResult.RunAsync(
            "/usr/bin/nsenter",
            ["-t", leader, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--", shell, "-c", line],
            cancellation,
            new Dictionary<string, string> { ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ["SYSTEMD_PAGER"] = "" });
    }

    /// <summary>The same, where it must succeed.</summary>
    /// <returns>What it printed.</returns>
    public async Task<string> DoneAsync(string line, CancellationToken cancellation)
    {
        var done = await RunAsync(line, cancellation);
        return done.ExitCode == 0 ? done.Output : throw new TestException($"on {Name}: {line}: {done.Everything}");
    }

    /// <summary>Shuts it down and boots it again, as <c>reboot</c> does; returns when it is up.</summary>
    public async Task RebootAsync(CancellationToken cancellation)
    {
        var before = Leader();
        await RunAsync("systemctl reboot", cancellation);
        await Eventually.TrueAsync(() => Task.FromResult(Leader() is { } now && now != before), $"the reboot of {Name}", cancellation);
        await UpAsync(cancellation);
    }

    /// <summary>Waits until it is up and all that starts with it has.</summary>
    public async Task UpAsync(CancellationToken cancellation)
    {
        await RunningAsync(cancellation);
        // systemd gives loopback all of 127.0.0.0/8 at each boot; the cables between hosts have addresses of it (Network).
        if (space is not null)
            await RunHereAsync($"ip -n {space} addr del 127.0.0.1/8 dev lo 2>/dev/null && ip -n {space} addr add 127.0.0.1/32 dev lo || true", cancellation);
    }

    /// <summary>What its journal has, for failure reports.</summary>
    public async Task<string> JournalAsync() => (await RunAsync("journalctl -b --no-pager -n 300", CancellationToken.None)).Output;

    public async ValueTask DisposeAsync()
    {
        channel?.Dispose();
        await EndAsync(container);
        await CleanAsync(Id, directory);
    }

    private Task RunningAsync(CancellationToken cancellation) => Eventually.TrueAsync(
        async () =>
        {
            if (container.HasExited) throw new TestException($"{Name} did not boot:\n{container.Output}");
            if (Leader() is null) return false;
            try
            {
                var state = (await RunAsync("systemctl is-system-running --wait", cancellation)).Output.Trim();
                if (state == "degraded") throw new TestException($"{Name} booted, but: {(await RunAsync("systemctl --failed; journalctl -b -p warning --no-pager", cancellation)).Output}");
                return state == "running";
            }
            catch (TestException) when (Leader() is null)
            {
                // It ended in between: it boots again.
                return false;
            }
        },
        $"{Name} is up",
        cancellation);

    /// <summary>The path of its root, made when there is none yet.</summary>
    private static async Task<string> SharedRootAsync(CancellationToken cancellation)
    {
        var made = await CommandResult.RunAsync("/bin/bash", [Path.Combine(Programs.Repository, "tests", "hosts", "root.sh")], cancellation);
        return made.ExitCode == 0
            ? made.Output.Trim()
            : throw new TestException($"the root of booted hosts could not be made (root, debootstrap and a mirror are needed): {made.Everything}");
    }

    /// <summary>
    /// Lines that run the container. They join cgroups of its own first: the systemd of two containers would fight over one. No service manager
    /// of this machine knows of it (--register=no, --keep-unit), and its first line of input is no terminal's.
    /// </summary>
    private static string Container(string id, string name, string root, string? space, IReadOnlyDictionary<string, string> binds) => $"""
        if [ -e /sys/fs/cgroup/cgroup.controllers ]; then trees=/sys/fs/cgroup; else trees="/sys/fs/cgroup/systemd /sys/fs/cgroup/unified"; fi
        for tree in $trees; do mkdir -p $tree/{id}; echo $$ >$tree/{id}/cgroup.procs; done
        # With --keep-unit a reboot is for whoever started it to do (EXIT_FORCE_RESTART of systemd.exec(5)).
        code=133
        while [ $code = 133 ]; do code=0; systemd-nspawn --quiet --register=no --keep-unit --boot -D {root} --machine={name} --console=pipe \
          {(space is null ? "--private-network" : $"--network-namespace-path=/run/netns/{space}")} \
          {string.Join(' ', binds.Select(b => $"--bind-ro={b.Key}:{b.Value}"))} </dev/null || code=$?; done
        exit $code
        """;

    /// <summary>Its process 1, by its number here; null while there is none.</summary>
    private string? Leader() => ChildOf(ChildOf($"{container.Pid}", "systemd-nspawn"), "systemd");

    private static string? ChildOf(string? pid, string name)
    {
        if (pid is null) return null;
        try
        {
            return File.ReadAllText($"/proc/{pid}/task/{pid}/children")
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .FirstOrDefault(child => File.ReadAllText($"/proc/{child}/comm").Trim() == name);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>With its process 1 everything in it ends, and the container then does by itself.</summary>
    private static async Task EndAsync(RunningProgram container)
    {
        var nspawn = ChildOf($"{container.Pid}", "systemd-nspawn");
        if ((ChildOf(nspawn, "systemd") ?? nspawn) is { } first)
        {
            await KillAsync(first);
            await container.WaitForExitAsync(CancellationToken.None);
        }

        await container.DisposeAsync();
    }

    private static async Task CleanAsync(string id, string directory)
    {
        await RunHereAsync($"""
            umount -l {directory}/root 2>/dev/null || true
            for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
              [ ! -d $tree/{id} ] || find $tree/{id} -depth -type d -exec rmdir {"{}"} +
            done
            rm -rf --one-file-system {directory}
            """, CancellationToken.None);
    }

    private static async Task KillAsync(string pid)
    {
        using var kill = System.Diagnostics.Process.Start("/bin/kill", ["-KILL", pid])!;
        await kill.WaitForExitAsync();
    }

    private static async Task RunHereAsync(string lines, CancellationToken cancellation)
    {
        var done = await CommandResult.RunAsync("/bin/bash", ["-ec", lines], cancellation);
        if (done.ExitCode != 0) throw new TestException($"booted hosts need root and overlayfs: {done.Everything}\n{lines}");
    }
}
