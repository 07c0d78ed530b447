using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>What is in the Debian packages, before anybody installs them.</summary>
public partial class PackageTests
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
        var systemd = Path.Combine(Programs.Repository, "packaging", "systemd");
        var units = Directory.EnumerateFiles(systemd, "*", SearchOption.AllDirectories).Select(u => $"-rw-r--r-- ./usr/lib/systemd/system/{Path.GetRelativePath(systemd, u)}");
        var examples = Directory.EnumerateFiles(Path.Combine(Programs.Repository, "packaging", "examples")).Select(Path.GetFileName)
            .Select(e => $"{(e!.EndsWith(".sh", StringComparison.Ordinal) ? "-rwxr-xr-x" : "-rw-r--r--")} ./usr/share/doc/decant-agent/examples/{e}");

        Assert.That(await FilesAsync(packages.Agent, cancellation), Is.EquivalentTo((string[])
        [
            "-rwxr-xr-x ./usr/bin/decantd",
            "-rw-r--r-- ./etc/decant/agent.yml",
            "-rw-r--r-- ./usr/lib/sysusers.d/decant.conf",
            "-rw-r--r-- ./usr/lib/tmpfiles.d/decant.conf",
            "-rw-r--r-- ./usr/share/polkit-1/rules.d/decant.rules",
            "-rw-r--r-- ./usr/share/doc/decant-agent/changelog.gz",
            "-rw-r--r-- ./usr/share/doc/decant-agent/copyright",
            "-rw-r--r-- ./usr/share/doc/decant-agent/decantd.cdx.json",
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
            "-rw-r--r-- ./usr/share/doc/decant/decant.cdx.json",
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
            Assert.That(agent.Output, Does.Contain($"Version: {version}\n").And.Match(@"Depends: libc6 \(>= 2\.\d+\), libssl3, polkitd, systemd\n"));
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
        var text = await ContentAsync(packages.Agent, "./etc/decant/agent.yml", cancellation);
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, text, cancellation);
        var check = await CommandResult.RunAsync(Programs.Decantd, ["--check-config", "--config", file], cancellation);
        File.Delete(file);

        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
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

    [TestCase("decantd", "agent")]
    [TestCase("decant", "controller")]
    [CancelAfter(60_000)]
    public async Task The_bill_of_materials_has_every_package_of_the_lock_file_with_version_and_licence_and_the_runtime(string program, string project, CancellationToken cancellation)
    {
        var (package, place) = project == "agent" ? (packages.Agent, "decant-agent") : (packages.Controller, "decant");
        using var bill = JsonDocument.Parse(await ContentAsync(package, $"./usr/share/doc/{place}/{program}.cdx.json", cancellation));
        using var locked = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Programs.Repository, project, "packages.lock.json"), cancellation));

        var components = bill.RootElement.GetProperty("components").EnumerateArray().ToList();
        var used = locked.RootElement.GetProperty("dependencies").GetProperty("net10.0").EnumerateObject()
            .Where(p => p.Value.TryGetProperty("resolved", out _))
            // What builds and is not built in.
            .Where(p => p.Name is not ("Grpc.Tools" or "Microsoft.DotNet.ILCompiler" or "Microsoft.NET.ILLink.Tasks"))
            .Select(p => $"{p.Name} {p.Value.GetProperty("resolved").GetString()}");
        Assert.Multiple(() =>
        {
            Assert.That(bill.RootElement.GetProperty("bomFormat").GetString(), Is.EqualTo("CycloneDX"));
            Assert.That(bill.RootElement.GetProperty("metadata").GetProperty("component").GetProperty("version").GetString(), Is.EqualTo(DebianPackages.Version));
            Assert.That(components.Select(c => $"{c.GetProperty("name").GetString()} {c.GetProperty("version").GetString()}"), Is.SupersetOf(used));
            Assert.That(components.Select(c => c.GetProperty("name").GetString()), Has.Member("Microsoft.NETCore.App.Runtime.NativeAOT"));
            Assert.That(components.Where(c => !c.TryGetProperty("licenses", out var licences) || licences.GetArrayLength() == 0).Select(c => c.ToString()), Is.Empty);
        });
    }

    [TestCase("decantd")]
    [TestCase("decant")]
    [CancelAfter(60_000)]
    public async Task A_program_has_no_path_of_the_machine_that_built_it_no_key_and_no_symbols(string program, CancellationToken cancellation)
    {
        var path = program == "decant" ? Programs.Decant : Programs.Decantd;
        var bytes = await File.ReadAllBytesAsync(path, cancellation);
        // Text of C and of .NET: one byte a character, or two.
        foreach (var text in (string[])[Encoding.Latin1.GetString(bytes), Encoding.Unicode.GetString(bytes), Encoding.Unicode.GetString(bytes.AsSpan(1))])
        {
            Assert.Multiple(() =>
            {
                foreach (var place in (string[])[Programs.Repository, "/.nuget/packages", "/home/", Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) + "/."])
                    Assert.That(text.Contains(place, StringComparison.Ordinal), Is.False, place);
                Assert.That(Secret().Match(text).Value, Is.Empty);
            });
        }

        var sections = await CommandResult.RunAsync("/usr/bin/readelf", ["--wide", "--section-headers", path], cancellation);
        Assert.That(sections.Output, Does.Contain(".text").And.Not.Contain(".symtab").And.Not.Contain(".debug_info"));
    }

    /// <summary>Keys as they are commonly written.</summary>
    [GeneratedRegex(@"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}")]
    private static partial Regex Secret();

    private static async Task<string> ContentAsync(string package, string file, CancellationToken cancellation)
    {
        var read = await CommandResult.RunAsync("/bin/bash", ["-c", $"set -o pipefail; dpkg-deb --fsys-tarfile {package} | tar -xO {file}"], cancellation);
        return read.ExitCode == 0 ? read.Output : throw new TestException(read.Everything);
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
