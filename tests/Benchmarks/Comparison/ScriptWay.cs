using Decant.EndToEnd.Harness;

namespace Decant.Benchmarks.Comparison;

/// <summary>A script that deploys to one instance a host, behind HAProxy.</summary>
/// <param name="Name">In the table.</param>
/// <param name="Script">The script.</param>
/// <param name="Redispatch">HAProxy sends what a server refuses to another one.</param>
internal record ScriptWay(string Name, string Script, bool Redispatch = true) : Way(Name)
{
    /// <summary>Where the scripts are.</summary>
    protected static string Scripts => Path.Combine(Programs.Repository, "tests", "Benchmarks", "Comparison", "scripts");

    public override async Task ServeAsync(ComparedFleet fleet, string archive, CancellationToken cancellation)
    {
        foreach (var host in fleet.Hosts) WriteInstance(fleet, host.Name, host.Name, host.Port);
        await fleet.StartHaproxyAsync(fleet.Hosts.Select(h => (h.Name, h.Port)), cancellation, Redispatch);
        await RunAsync(Bash(fleet, archive, "stop-start.sh"), cancellation);
    }

    public override DeployCommand Deploy(ComparedFleet fleet, string archive) => Bash(fleet, archive, Script);

    public override bool BeginsCutover(string line) => line.StartsWith("cutover", StringComparison.Ordinal) && line.EndsWith("begins", StringComparison.Ordinal);

    public override bool EndsCutover(string line) => line.StartsWith("cutover", StringComparison.Ordinal) && line.EndsWith("ends", StringComparison.Ordinal);

    public override TimeSpan Own(OwnTimes app) => ComparedFleet.Count * (app.BusyStop + app.Boot);

    /// <summary>More environment of the script.</summary>
    protected virtual IEnumerable<(string Name, string Value)> More(ComparedFleet fleet) => [];

    /// <summary>One of the scripts, with the environment that all of them know.</summary>
    protected DeployCommand Bash(ComparedFleet fleet, string archive, string script) => new(
        "/bin/bash",
        [Path.Combine(Scripts, script)],
        new Dictionary<string, string>(More(fleet).Select(m => KeyValuePair.Create(m.Name, m.Value)))
        {
            ["FLEET"] = fleet.Directory,
            ["HOSTS"] = string.Join(' ', fleet.Hosts.Select(h => h.Name)),
            ["ARCHIVE"] = archive,
        },
        fleet.Directory);

    /// <summary>The directory of an instance with what its unit's EnvironmentFile would say.</summary>
    protected static void WriteInstance(ComparedFleet fleet, string instance, string node, int port)
    {
        var directory = Directory.CreateDirectory(Path.Combine(fleet.Directory, instance)).FullName;
        File.WriteAllLines(Path.Combine(directory, "env"), fleet.Environment(node, port).Select(v => $"{v.Key}={v.Value}"));
    }

    /// <summary>Runs a command that must succeed.</summary>
    protected static async Task RunAsync(DeployCommand command, CancellationToken cancellation)
    {
        var run = await TimedRun.RunAsync(command, cancellation);
        if (run.ExitCode != 0) throw new TestException($"{string.Join(' ', command.Arguments)}: exit code {run.ExitCode}\n{run.Output}");
    }
}

/// <summary>Blue and green instances on every host behind nginx, whose upstream file the script writes.</summary>
internal sealed record NginxWay(string Name) : ScriptWay(Name, "nginx-switch.sh")
{
    private string nginx = "true";

    public override IReadOnlyList<string> Packages => ["nginx-light"];

    public override bool IsBehindHaproxy => false;

    public override async Task ServeAsync(ComparedFleet fleet, string archive, CancellationToken cancellation)
    {
        foreach (var host in fleet.Hosts)
        {
            WriteInstance(fleet, $"{host.Name}/blue", host.Name, host.Port);
            WriteInstance(fleet, $"{host.Name}/green", host.Name, host.SecondPort);
        }

        // The first time there is no nginx yet that could be reloaded.
        nginx = "true";
        await RunAsync(Bash(fleet, archive, Script), cancellation);
        nginx = await fleet.StartNginxAsync(UpstreamOf(fleet), cancellation);
    }

    public override TimeSpan Own(OwnTimes app) => app.BootTogether + app.BusyStopTogether;

    protected override IEnumerable<(string Name, string Value)> More(ComparedFleet fleet) => [("UPSTREAM", UpstreamOf(fleet)), ("NGINX", nginx)];

    private static string UpstreamOf(ComparedFleet fleet) => Path.Combine(fleet.Directory, "upstream.conf");
}

/// <summary>A script over ssh, to an sshd of its own on loopback with a key that is thrown away.</summary>
internal sealed record SshWay(string Name) : ScriptWay(Name, "capistrano.sh")
{
    public override IReadOnlyList<string> Packages => ["openssh-server", "openssh-client"];

    public override async Task ServeAsync(ComparedFleet fleet, string archive, CancellationToken cancellation)
    {
        await base.ServeAsync(fleet, archive, cancellation);
        var (room, port) = (Directory.CreateDirectory(Path.Combine(fleet.Directory, "ssh")).FullName, fleet.NextPort());
        foreach (var key in new[] { "host", "user" })
            await CommandResult.RunAsync("/usr/bin/ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", Path.Combine(room, key)], cancellation);
        File.Copy(Path.Combine(room, "user.pub"), Path.Combine(room, "authorized_keys"));
        await File.WriteAllTextAsync(Path.Combine(room, "sshd_config"), $"""
            ListenAddress 127.0.0.1:{port}
            HostKey {room}/host
            PidFile {room}/sshd.pid
            AuthorizedKeysFile {room}/authorized_keys
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            PermitRootLogin prohibit-password
            Subsystem sftp internal-sftp

            """, cancellation);
        await File.WriteAllTextAsync(Path.Combine(room, "ssh_config"), $"""
            Host web*
              HostName 127.0.0.1
              Port {port}
              User {Environment.UserName}
              IdentityFile {room}/user
              IdentitiesOnly yes
              UserKnownHostsFile {room}/known_hosts
              StrictHostKeyChecking accept-new
              LogLevel ERROR
              ControlMaster auto
              ControlPath {room}/%n
              ControlPersist 60

            """, cancellation);
        // sshd run by root wants this directory, which Debian's own service would make.
        if (Environment.IsPrivilegedProcess) Directory.CreateDirectory("/run/sshd");
        fleet.Start("/usr/sbin/sshd", "-D", "-e", "-f", Path.Combine(room, "sshd_config"));
        await Eventually.TrueAsync(
            async () => (await CommandResult.RunAsync("/usr/bin/ssh", ["-F", ConfigurationOf(fleet), "-S", "none", "web1", "true"], cancellation)).ExitCode == 0,
            "ssh web1 true",
            cancellation);
    }

    protected override IEnumerable<(string Name, string Value)> More(ComparedFleet fleet) => [("SSH_CONFIG", ConfigurationOf(fleet))];

    private static string ConfigurationOf(ComparedFleet fleet) => Path.Combine(fleet.Directory, "ssh", "ssh_config");
}

/// <summary>An Ansible playbook that drains HAProxy.</summary>
internal sealed record AnsibleWay(string Name) : ScriptWay(Name, "playbook.yml")
{
    public override IReadOnlyList<string> Packages => ["ansible"];

    public override DeployCommand Deploy(ComparedFleet fleet, string archive)
    {
        var inventory = Path.Combine(fleet.Directory, "inventory.ini");
        File.WriteAllText(inventory, $"""
            [web]
            {string.Join('\n', fleet.Hosts.Select(h => $"{h.Name} instance={fleet.Directory}/{h.Name} port={h.Port}"))}
            [web:vars]
            ansible_connection=local
            archive={archive}
            version={Path.GetFileName(archive).Replace("demo-", "", StringComparison.Ordinal).Replace(".tar.gz", "", StringComparison.Ordinal)}
            service={Scripts}/service.sh
            socket={fleet.Socket}

            """);
        return new DeployCommand(
            "/usr/bin/ansible-playbook",
            ["-i", inventory, Path.Combine(Scripts, Script)],
            new Dictionary<string, string>
            {
                ["ANSIBLE_CONFIG"] = Path.Combine(Scripts, "ansible.cfg"),
                ["ANSIBLE_LOCAL_TEMP"] = Path.Combine(fleet.Directory, "ansible"),
                ["ANSIBLE_REMOTE_TEMP"] = Path.Combine(fleet.Directory, "ansible"),
                ["LC_ALL"] = "C.UTF-8",
            },
            fleet.Directory);
    }

    public override bool BeginsCutover(string line) => line.StartsWith("PLAY [Cut over]", StringComparison.Ordinal);

    public override bool EndsCutover(string line) => line.StartsWith("PLAY RECAP", StringComparison.Ordinal);

    public override TimeSpan Own(OwnTimes app) => ComparedFleet.Count * (app.Stop + app.Boot);
}
