using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>The tarball for other distributions, and its install.sh.</summary>
public class InstallScriptTests
{
    private string directory = null!;
    private string script = null!;

    [OneTimeSetUp]
    public async Task MakeAsync()
    {
        NativePrograms.OrSkip();
        directory = Directory.CreateTempSubdirectory("decant-tarball-").FullName;
        var made = await CommandResult.RunAsync(
            "/bin/bash",
            ["-c", $"cd {Programs.Repository} && bash packaging/tarball.sh {Path.GetDirectoryName(Programs.Decantd)} {directory} && tar -C {directory} -xf {directory}/*.tar.gz"],
            CancellationToken.None);
        Assert.That(made.ExitCode, Is.Zero, made.Everything);
        script = Path.Combine(Directory.EnumerateDirectories(directory).Single(), "install.sh");
        Directory.CreateDirectory(Path.Combine(directory, "roots"));
    }

    [OneTimeTearDown]
    public void Remove()
    {
        if (directory is not null) Directory.Delete(directory, recursive: true);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Below_another_root_it_installs_what_the_packages_have_and_takes_away_all_but_the_configuration(CancellationToken cancellation)
    {
        var root = Root();

        var agent = await InstallAsync(root, cancellation, "agent");
        var controller = await InstallAsync(root, cancellation, "controller");
        var files = Files(root);
        var unit = await File.ReadAllTextAsync(Path.Combine(root, "etc/systemd/system/decantd.service"), cancellation);
        var gone = new[] { await InstallAsync(root, cancellation, "--uninstall", "agent"), await InstallAsync(root, cancellation, "--uninstall", "controller") };

        Assert.Multiple(() =>
        {
            Assert.That(agent.ExitCode, Is.Zero, agent.Everything);
            Assert.That(controller.ExitCode, Is.Zero, controller.Everything);
            Assert.That(files, Is.SupersetOf((string[])
            [
                "755 /usr/local/bin/decantd", "755 /usr/local/bin/decant", "644 /etc/decant/agent.yml", "644 /etc/systemd/system/decant-proxy.socket",
                "644 /etc/sysusers.d/decant.conf", "644 /etc/tmpfiles.d/decant.conf", "644 /usr/local/share/man/man8/decantd.8.gz",
                "644 /usr/local/share/bash-completion/completions/decant", "644 /usr/local/share/zsh/site-functions/_decant",
                "644 /usr/local/share/fish/vendor_completions.d/decant.fish",
            ]));
            Assert.That(unit, Does.Contain("ExecStart=/usr/local/bin/decantd "));
            Assert.That(gone.Select(g => g.ExitCode), Is.All.Zero);
            Assert.That(Files(root), Is.EqualTo((string[])["644 /etc/decant/agent.yml"]));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task An_upgrade_keeps_a_changed_configuration_and_takes_away_what_is_no_longer_part_of_it(CancellationToken cancellation)
    {
        var root = Root();
        await InstallAsync(root, cancellation, "agent");
        await File.WriteAllTextAsync(Path.Combine(root, "etc/decant/agent.yml"), "host: web1\n", cancellation);
        await File.AppendAllTextAsync(Path.Combine(root, "usr/local/share/decant/installed-agent"), "/usr/local/bin/decant-old\n", cancellation);
        await File.WriteAllTextAsync(Path.Combine(root, "usr/local/bin/decant-old"), "", cancellation);

        var again = await InstallAsync(root, cancellation, "agent");

        Assert.Multiple(() =>
        {
            Assert.That(again.ExitCode, Is.Zero, again.Everything);
            Assert.That(File.ReadAllText(Path.Combine(root, "etc/decant/agent.yml")), Is.EqualTo("host: web1\n"));
            Assert.That(File.Exists(Path.Combine(root, "etc/decant/agent.yml.new")));
            Assert.That(File.Exists(Path.Combine(root, "usr/local/bin/decant-old")), Is.False);
        });
    }

    [TestCase("getconf", "echo 'glibc 2.28'", "need glibc 2.34 or later, and this system has 2.28")]
    [TestCase("getconf", "exit 1", "is not glibc (musl?)")]
    [TestCase("uname", "case $1 in -s) echo Linux;; *) echo riscv64;; esac", "this is Linux on riscv64")]
    [TestCase("ldconfig", "echo 'libssl.so.1.1 (libc6,x86-64) => /lib/libssl.so.1.1'", "OpenSSL 3 (libssl.so.3) is missing")]
    [TestCase("systemctl", "exit 127", "systemd is missing, which runs the agent")]
    [TestCase("systemctl", "echo 'systemd 241 (241)'", "need systemd 247 or later, and this system has 241")]
    [CancelAfter(60_000)]
    public async Task A_system_that_it_does_not_fit_is_refused_before_anything_is_changed(string command, string says, string reason, CancellationToken cancellation)
    {
        var root = Root();
        var stubs = Directory.CreateDirectory($"{root}-bin").FullName;
        var stub = Path.Combine(stubs, command);
        await File.WriteAllTextAsync(stub, $"#!/bin/sh\n{says}\n", cancellation);
        File.SetUnixFileMode(stub, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        var refused = await RunAsync(root, ["agent"], $"{stubs}:/usr/sbin:/usr/bin:/bin", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(refused.ExitCode, Is.EqualTo(1), refused.Everything);
            Assert.That(refused.Errors, Does.Contain(reason).And.EndWith("  Nothing was changed.\n"));
            Assert.That(Files(root), Is.Empty);
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_configuration_that_does_not_fit_is_refused_before_anything_is_changed(CancellationToken cancellation)
    {
        var root = Root();
        Directory.CreateDirectory(Path.Combine(root, "etc/decant"));
        await File.WriteAllTextAsync(Path.Combine(root, "etc/decant/agent.yml"), "no_such_key: 1\n", cancellation);

        var refused = await InstallAsync(root, cancellation, "agent");

        Assert.That(refused.ExitCode, Is.EqualTo(1), refused.Everything);
        Assert.That(refused.Errors, Does.Contain("agent.yml:1:1").And.Contain("Mend it and run this again"));
        Assert.That(Files(root), Has.Count.EqualTo(1));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task On_a_whole_system_it_makes_users_enables_the_agent_and_leaves_data_and_what_runs_when_it_is_uninstalled(CancellationToken cancellation)
    {
        using var system = new OverlayRoot();

        var outcome = await system.RunAsync(
            $"""
            {script} agent || echo "failed"
            systemctl is-enabled decantd.service; getent shadow decant; stat -c '%a %U:%G' /etc/decant/tls
            install -D /bin/sleep /var/lib/decant/releases/shop/beam.smp
            /var/lib/decant/releases/shop/beam.smp 600 & release=$!
            echo "== uninstall"; {script} --uninstall agent
            kill -0 $release && ls /var/lib/decant /etc/decant/agent.yml && systemctl is-enabled decantd.service
            echo "== purge"; {script} --purge agent 2>&1
            kill $release; wait $release
            echo "== again"; {script} --purge agent; ls -d /etc/decant /var/lib/decant 2>&1
            """,
            cancellation);

        var parts = outcome.Output.Split("== ", StringSplitOptions.RemoveEmptyEntries).ToDictionary(p => p.Split('\n')[0]);
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Output, Does.Not.Contain("failed").And.Contain("\nenabled\ndecant:!").And.Contain("\n700 decant:decant\n"), outcome.Everything);
            Assert.That(parts["uninstall"], Does.Contain("/etc/decant/agent.yml\n").And.Contain("\nreleases\n").And.Not.Contain("enabled\n"));
            Assert.That(parts["purge"], Does.Contain("which this would delete").And.Contain("Nothing was changed"));
            Assert.That(parts["again"], Does.Contain("'/etc/decant': No such file").And.Contain("'/var/lib/decant': No such file"));
        });
    }

    /// <summary>An empty root beside what the tests unpacked, which goes with it.</summary>
    private string Root() => Directory.CreateDirectory(Path.Combine(directory, "roots", Path.GetRandomFileName())).FullName;

    private Task<CommandResult> InstallAsync(string root, CancellationToken cancellation, params string[] arguments) => RunAsync(root, arguments, null, cancellation);

    private Task<CommandResult> RunAsync(string root, string[] arguments, string? path, CancellationToken cancellation)
    {
        var environment = new Dictionary<string, string> { ["DESTDIR"] = root };
        if (path is not null) environment["PATH"] = path;
        return CommandResult.RunAsync("/bin/sh", [script, .. arguments], cancellation, environment);
    }

    /// <summary>Mode and path of each file.</summary>
    private static IReadOnlyList<string> Files(string root)
        => [.. Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Select(f => $"{Convert.ToString((int)File.GetUnixFileMode(f), 8)} {f[root.Length..]}")];
}
