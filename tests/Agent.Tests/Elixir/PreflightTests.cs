using System.Net;
using System.Net.Sockets;
using System.Text;
using Decant.Agent.Configuration;
using Decant.Agent.Elixir;
using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Agent.Releases;
using Decant.Agent.Tests.Releases;
using Decant.EndToEnd.Harness;

namespace Decant.Agent.Tests.Elixir;

/// <summary>What is found wrong before anything is stopped, on real releases, broken one way after the other.</summary>
[Parallelizable(ParallelScope.Self)]
public class PreflightTests
{
    private AgentHost host = null!;
    private SlotSpec spec = null!;
    private long free = 1L << 40;

    [OneTimeSetUp]
    public async Task Open() => host = await AgentHost.CreateAsync(c => c with { Limits = new HostLimits { DiskFloorBytes = 1 << 20 } });

    [OneTimeTearDown]
    public async Task Close() => await host.DisposeAsync();

    [SetUp]
    public void Begin()
    {
        spec = host.Spec("demo-main@127.0.0.1");
        free = 1L << 40;
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_good_release_passes_everything_and_each_finding_is_told(CancellationToken cancellation)
    {
        var passed = await RunAsync(host.One, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(passed.Findings.Select(f => f.Check), Is.EqualTo(new[] { "erts", "shared-libraries", "port", "disk", "runtime-config" }));
            Assert.That(passed.Findings.Select(f => f.Passed), Is.All.True);
            Assert.That(host.Report.Messages, Has.Some.Matches($"^port: ok, {spec.Port} is free$"));
            Assert.That(host.Report.Messages, Has.Some.Matches("^runtime-config: ok, config/runtime.exs evaluates"));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Everything_that_is_wrong_is_told_at_once(CancellationToken cancellation)
    {
        using var broken = await BrokenReleaseAsync(cancellation);
        ForeignVm(broken.Path);
        MissingLibrary(broken.Path);
        using var listener = Listener();
        free = 1 << 19;

        var error = await AgentHost.RefusedAsync(() => RunAsync(host.One with { Root = broken.Path }, cancellation));

        Assert.Multiple(() =>
        {
            Assert.That((error.Code, error.Reason), Is.EqualTo((Grpc.Core.StatusCode.Aborted, "PREFLIGHT_FAILED")));
            Assert.That(error.Message, Does.Match(
                "^demo/main cannot run 1.0.0: erts: .*; shared-libraries: .*; port: .*; disk: .*; runtime-config: "));
            Assert.That(error.WhatNext, Does.StartWith("nothing was stopped"));
            Assert.That((error.Facts["app"], error.Facts["slot"]), Is.EqualTo(("demo", "main")));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_VM_for_another_architecture_is_found(CancellationToken cancellation)
    {
        using var broken = await BrokenReleaseAsync(cancellation);
        ForeignVm(broken.Path);

        var error = await AgentHost.RefusedAsync(() => RunAsync(host.One with { Root = broken.Path }, cancellation));

        Assert.That(error.Message, Does.Match($"erts: .*beam.smp is {Other.Architecture}.*, this host is {ElfHeader.OfThisHost.Architecture}"));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_shared_library_that_the_crypto_needs_and_the_host_does_not_have_is_named(CancellationToken cancellation)
    {
        using var broken = await BrokenReleaseAsync(cancellation);
        MissingLibrary(broken.Path);

        var error = await AgentHost.RefusedAsync(() => RunAsync(host.One with { Root = broken.Path }, cancellation));

        Assert.That(error.Message, Does.StartWith("demo/main cannot run 1.0.0: shared-libraries: libcrypto.so.9 => not found; install them"));
        Assert.That(error.Message, Does.Not.Contain("runtime-config"));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_port_that_another_process_has_is_found_with_its_name_but_not_when_the_slot_itself_has_it(CancellationToken cancellation)
    {
        using var listener = Listener();

        var error = await AgentHost.RefusedAsync(() => RunAsync(host.One, cancellation));
        var passed = await RunAsync(host.One, cancellation, presentPort: spec.Port);

        Assert.Multiple(() =>
        {
            Assert.That(error.Message, Does.Match($"^demo/main cannot run 1.0.0: port: {spec.Port} is taken by pid {Environment.ProcessId} \\([^;]*\\)$"));
            Assert.That(passed.Findings[2].Detail, Is.EqualTo($"{spec.Port} is held by what runs in the slot now"));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_disk_below_its_floor_is_found(CancellationToken cancellation)
    {
        free = 1 << 19;

        var error = await AgentHost.RefusedAsync(() => RunAsync(host.One, cancellation));

        Assert.That(error.Message, Is.EqualTo("demo/main cannot run 1.0.0: disk: 0 MiB free, 1 MiB are left alone"));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_variable_that_the_releases_runtime_configuration_misses_is_named(CancellationToken cancellation)
    {
        spec = host.Spec("demo-main@127.0.0.1", ("DEMO_REQUIRE", "DEMO_REQUIRE,SHOP_API_KEY"));

        var error = await AgentHost.RefusedAsync(() => RunAsync(host.One, cancellation));

        Assert.That(error.Message, Does.StartWith(
            "demo/main cannot run 1.0.0: runtime-config: config/runtime.exs does not evaluate in the slot's environment (exit code 1): "));
        // In the exception's own words where the VM got them out, which it does nearly always.
        Assert.That(error.Message, Does.Match("could not fetch environment variable \"SHOP_API_KEY\"|System.EnvError',env=><<\"SHOP_API_KEY\""));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task An_env_file_that_cannot_be_used_is_a_finding_among_the_others_and_a_good_one_gives_what_is_missing(CancellationToken cancellation)
    {
        await using var own = await AgentHost.CreateAsync();
        spec = own.Spec("demo-main@127.0.0.1", ("DEMO_REQUIRE", "SHOP_API_KEY"));
        var file = Path.Combine(Directory.CreateDirectory(own.Configuration.AppsDirectory).FullName, "demo.env");
        await File.WriteAllTextAsync(file, "SHOP_API_KEY='s3cret'\nBROKEN", cancellation);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        free = 0;

        var error = await AgentHost.RefusedAsync(() => RunAsync(own.One, cancellation, on: own));
        await File.WriteAllTextAsync(file, "SHOP_API_KEY='s3cret'\n", cancellation);
        free = 1L << 40;
        var passed = await RunAsync(own.One, cancellation, on: own);

        Assert.Multiple(() =>
        {
            Assert.That(error.Message, Does.Contain("disk: ").And.Contain($"runtime-config: {file}:2: not of the form NAME=VALUE"));
            Assert.That(error.Message, Does.Not.Contain("s3cret"));
            Assert.That(passed.Findings[^1].Passed, Is.True);
        });
    }

    private static ElfHeader Other => ElfHeader.OfThisHost.Architecture == "aarch64" ? Read(62) : Read(183);

    private static ElfHeader Read(ushort machine)
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllBytes(directory["elf"], FakeRelease.ElfFor(machine));
        return ElfHeader.Read(directory["elf"]).Header!;
    }

    private async Task<PreflightPassed> RunAsync(StagedRelease release, CancellationToken cancellation, int? presentPort = null, AgentHost? on = null)
    {
        var where = on ?? host;
        var disk = new DiskSpace(_ => free, where.Configuration.Limits);
        return await new Preflight(where.Script, new SharedLibraries(TimeProvider.System), where.Configuration, disk).RunAsync(
            AgentHost.Target("main", spec, release), presentPort, TimeSpan.FromSeconds(30), host.Report, cancellation);
    }

    private TcpListener Listener()
    {
        var listener = new TcpListener(IPAddress.Loopback, spec.Port);
        listener.Start();
        return listener;
    }

    /// <summary>A copy of a release that may be changed.</summary>
    private async Task<TemporaryDirectory> BrokenReleaseAsync(CancellationToken cancellation)
    {
        var copy = new TemporaryDirectory();
        var result = await CommandResult.RunAsync("cp", ["-r", "--no-preserve=mode", $"{host.One.Root}/.", copy.Path], cancellation);
        Assert.That(result.ExitCode, Is.Zero, result.Everything);
        var executable = await CommandResult.RunAsync("chmod", ["-R", "u+rwX,u+x", copy.Path], cancellation);
        Assert.That(executable.ExitCode, Is.Zero, executable.Everything);
        return copy;
    }

    private void ForeignVm(string root)
    {
        var path = Path.Combine(root, $"erts-{host.One.ErtsVersion}", "bin", "beam.smp");
        using var vm = File.OpenWrite(path);
        vm.Position = 18;
        vm.WriteByte(ElfHeader.OfThisHost.Architecture == "aarch64" ? (byte)62 : (byte)183);
    }

    /// <summary>Makes the release's crypto need a version of OpenSSL that nobody has.</summary>
    private static void MissingLibrary(string root)
    {
        var path = Directory.EnumerateFiles(root, "crypto.so", SearchOption.AllDirectories).Single();
        var bytes = File.ReadAllBytes(path);
        var at = bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes("libcrypto.so.3\0"));
        Assert.That(at, Is.Positive);
        bytes[at + "libcrypto.so.".Length] = (byte)'9';
        File.WriteAllBytes(path, bytes);
    }
}
