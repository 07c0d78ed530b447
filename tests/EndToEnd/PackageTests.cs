using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>What is in the Debian packages, before anybody installs them.</summary>
public class PackageTests
{
    private DebianPackages packages = null!;

    [OneTimeSetUp]
    public async Task MakeAsync()
    {
        NativePrograms.OrSkip();
        packages = await DebianPackages.SharedAsync();
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task The_agents_package_has_program_units_configuration_users_directories_and_manual_all_of_root(CancellationToken cancellation)
    {
        var units = Directory.EnumerateFiles(Path.Combine(Programs.Repository, "packaging", "systemd")).Select(u => $"-rw-r--r-- ./usr/lib/systemd/system/{Path.GetFileName(u)}");
        var examples = Directory.EnumerateFiles(Path.Combine(Programs.Repository, "packaging", "examples")).Select(Path.GetFileName)
            .Select(e => $"{(e!.EndsWith(".sh", StringComparison.Ordinal) ? "-rwxr-xr-x" : "-rw-r--r--")} ./usr/share/doc/decant-agent/examples/{e}");

        Assert.That(await FilesAsync(packages.Agent, cancellation), Is.EquivalentTo((string[])
        [
            "-rwxr-xr-x ./usr/bin/decantd",
            "-rw-r--r-- ./etc/decant/agent.yml",
            "-rw-r--r-- ./usr/lib/sysusers.d/decant.conf",
            "-rw-r--r-- ./usr/lib/tmpfiles.d/decant.conf",
            "-rw-r--r-- ./usr/share/doc/decant-agent/changelog.gz",
            "-rw-r--r-- ./usr/share/doc/decant-agent/copyright",
            "-rw-r--r-- ./usr/share/lintian/overrides/decant-agent",
            "-rw-r--r-- ./usr/share/man/man5/agent.yml.5.gz",
            "-rw-r--r-- ./usr/share/man/man7/decant-balancer.7.gz",
            "-rw-r--r-- ./usr/share/man/man8/decantd.8.gz",
            .. units,
            .. examples,
        ]));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task The_controllers_package_has_program_completions_schema_and_manual_all_of_root(CancellationToken cancellation)
        => Assert.That(await FilesAsync(packages.Controller, cancellation), Is.EquivalentTo((string[])
        [
            "-rwxr-xr-x ./usr/bin/decant",
            "-rw-r--r-- ./usr/share/bash-completion/completions/decant",
            "-rw-r--r-- ./usr/share/fish/vendor_completions.d/decant.fish",
            "-rw-r--r-- ./usr/share/zsh/vendor-completions/_decant",
            "-rw-r--r-- ./usr/share/decant/decant.schema.json",
            "-rw-r--r-- ./usr/share/doc/decant/changelog.gz",
            "-rw-r--r-- ./usr/share/doc/decant/copyright",
            "-rw-r--r-- ./usr/share/doc/decant/examples/decant.yml",
            "-rw-r--r-- ./usr/share/lintian/overrides/decant",
            "-rw-r--r-- ./usr/share/man/man1/decant.1.gz",
            "-rw-r--r-- ./usr/share/man/man5/decant.yml.5.gz",
        ]));

    [Test]
    [CancelAfter(60_000)]
    public async Task Its_version_is_that_of_the_programs_and_of_the_manual_and_its_configuration_is_one_that_dpkg_asks_about(CancellationToken cancellation)
    {
        var version = DebianPackages.Version;
        var program = await CommandResult.RunAsync(Programs.Decantd, ["--version"], cancellation);
        var agent = await CommandResult.RunAsync("/usr/bin/dpkg-deb", ["-f", packages.Agent, "Version", "Depends"], cancellation);
        var conffiles = await CommandResult.RunAsync("/usr/bin/dpkg-deb", ["-I", packages.Agent, "conffiles"], cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(program.Output.Trim(), Is.EqualTo($"decantd {version}"));
            Assert.That(agent.Output, Does.Contain($"Version: {version}\n").And.Match(@"Depends: libc6 \(>= 2\.\d+\), libssl3, systemd\n"));
            Assert.That(agent.Output, Does.Not.Contain("dotnet"));
            Assert.That(conffiles.Output.Trim(), Is.EqualTo("/etc/decant/agent.yml"));
            foreach (var page in Directory.EnumerateFiles(Path.Combine(Programs.Repository, "packaging", "man")))
                Assert.That(File.ReadLines(page).First(), Does.Contain($"\"Decant {version}\""), page);
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Its_agent_yml_changes_nothing_until_a_line_is_uncommented(CancellationToken cancellation)
    {
        var read = await CommandResult.RunAsync("/bin/bash", ["-c", $"dpkg-deb --fsys-tarfile {packages.Agent} | tar -xO ./etc/decant/agent.yml"], cancellation);
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, read.Output, cancellation);
        var check = await CommandResult.RunAsync(Programs.Decantd, ["--check-config", "--config", file], cancellation);
        File.Delete(file);

        var lines = read.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var example = File.ReadAllLines(Path.Combine(Programs.Repository, "packaging", "examples", "agent.yml")).Where(l => l.Length > 0).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(check.ExitCode, Is.Zero, check.Everything);
            Assert.That(lines, Is.All.StartsWith("#"));
            Assert.That(lines.Zip(example, (line, shown) => line == shown || line == $"#{shown}"), Is.All.True);
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Two_builds_write_the_same_bytes(CancellationToken cancellation)
    {
        // Another hour, zone, language and place; another umask comes with the shell.
        var again = await DebianPackages.MakeAsync(new Dictionary<string, string> { ["TZ"] = "Asia/Tokyo", ["LC_ALL"] = "C", ["TMPDIR"] = "/var/tmp" }, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(File.ReadAllBytes(again.Agent).AsSpan().SequenceEqual(File.ReadAllBytes(packages.Agent)), Path.GetFileName(again.Agent));
            Assert.That(File.ReadAllBytes(again.Controller).AsSpan().SequenceEqual(File.ReadAllBytes(packages.Controller)), Path.GetFileName(again.Controller));
        });
        Directory.Delete(Path.GetDirectoryName(again.Agent)!, recursive: true);
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Lintian_finds_nothing_but_what_is_overridden_with_a_reason(CancellationToken cancellation)
    {
        var lintian = await CommandResult.RunAsync(
            "/usr/bin/lintian", ["--allow-root", "--display-info", "--fail-on", "error,warning,info", packages.Agent, packages.Controller], cancellation);

        Assert.That(lintian.ExitCode, Is.Zero, lintian.Everything);
        Assert.That(lintian.Output, Is.Empty);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Programs.Repository, "packaging", "deb"), "lintian-overrides", SearchOption.AllDirectories))
        {
            var lines = await File.ReadAllLinesAsync(file, cancellation);
            var unexplained = lines.Where((line, at) => line[0] != '#' && (at == 0 || lines[at - 1][0] != '#'));
            Assert.That(unexplained, Is.Empty, file);
        }
    }

    /// <summary>Mode and path of each file, directories left out; every owner must be root.</summary>
    private static async Task<IReadOnlyList<string>> FilesAsync(string package, CancellationToken cancellation)
    {
        var listed = await CommandResult.RunAsync("/usr/bin/dpkg-deb", ["-c", package], cancellation);
        var entries = listed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(entries.Select(e => e[1]), Is.All.EqualTo("root/root"));
            Assert.That(entries.Where(e => e[0][0] == 'd').Select(e => e[0]), Is.All.EqualTo("drwxr-xr-x"));
            Assert.That(entries.Where(e => e[5].StartsWith("./var/", StringComparison.Ordinal)), Is.Empty, "an upgrade would take state for its own");
        });
        return [.. entries.Where(e => e[0][0] != 'd').Select(e => $"{e[0]} {e[5]}")];
    }
}
