using System.Diagnostics;
using System.Text.Json;
using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Agent.Supervision;
using Decant.Agent.Tests.Balancers;
using Decant.EndToEnd.Harness;

namespace Decant.Agent.Tests.Supervision;

/// <summary>Releases outlive agents and keepers: what the next agent finds, takes over, and leaves alone.</summary>
[Parallelizable(ParallelScope.Self)]
public class AdoptionTests
{
    private const int SigTerm = 15;
    private AgentHost host = null!;

    [SetUp]
    public async Task Open() => host = await AgentHost.CreateAsync();

    [TearDown]
    public async Task Close() => await host.DisposeAsync();

    [Test]
    [CancelAfter(120_000)]
    public async Task A_release_outlives_its_agent_and_is_taken_over_by_pid_start_time_and_boot_and_never_by_pid_alone(CancellationToken cancellation)
    {
        var slot = await RunningAsync(cancellation);
        var process = slot.Run!.Process.Identity;
        var directory = host.Directories.Of(slot.Key);
        var kept = KeeperFiles.ReadInstance(directory)!;

        host.EndAgent();
        host.OpenAgent();
        var adoptions = new Dictionary<string, bool>();
        foreach (var (name, forged) in new[]
        {
            ("another start time", kept with { StartTicks = kept.StartTicks + 1 }),
            ("another boot", kept with { BootId = Guid.NewGuid().ToString() }),
            ("another pid", kept with { Pid = Environment.ProcessId }),
            ("itself", kept),
        })
        {
            Write(directory, forged);
            using var adopted = await host.Supervisor.AdoptAsync(slot.Key);
            adoptions[name] = adopted is not null;
        }

        await host.Instances.ResumeAllAsync(cancellation);
        var resumed = host.Instances.Get(slot.Key);

        Assert.Multiple(() =>
        {
            Assert.That(adoptions, Is.EqualTo(new Dictionary<string, bool>
            {
                ["another start time"] = false,
                ["another boot"] = false,
                ["another pid"] = false,
                ["itself"] = true,
            }));
            Assert.That((process.Pid, process.StartTicks, process.BootId), Is.EqualTo((kept.Pid, kept.StartTicks, kept.BootId)));
            Assert.That(resumed.Snapshot().Process, Is.EqualTo(process));
            Assert.That(resumed.Snapshot().AdoptedAt, Is.Not.Null);
            Assert.That(resumed.Snapshot().State, Is.EqualTo(InstanceState.Running));
        });

        // It is an instance as any other: it is stopped by its script, and its exit code comes from the keeper that the first agent started.
        var stopped = await host.StopAsync(resumed, cancellation);
        Assert.That((stopped.Means, stopped.ExitCode), Is.EqualTo((StopMeans.Script, (int?)0)));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_stranger_with_the_pid_of_an_instance_is_not_adopted_and_not_signalled(CancellationToken cancellation)
    {
        using var stranger = Process.Start(new ProcessStartInfo("/bin/sleep", "600"))!;
        try
        {
            var key = AgentHost.Key("main");
            var strange = ProcessIdentity.Of(stranger.Id)!;
            Write(host.Directories.Of(key), new KeptInstance
            {
                Pid = strange.Pid,
                StartTicks = strange.StartTicks - 1,
                KeeperPid = strange.Pid,
                KeeperStartTicks = strange.StartTicks - 1,
                BootId = strange.BootId,
                Version = host.One.Id.Version.Value,
                Digest = host.One.Id.Digest.Value,
                StartedAt = DateTimeOffset.UtcNow,
            });
            host.Store.Save(new InstanceRecord(key, Wanted: false, host.One.Id, host.Spec("demo-main@127.0.0.1"), null, null, 0, null));

            await host.Instances.ResumeAllAsync(cancellation);
            var stopped = await host.StopAsync(host.Instances.Get(key), cancellation);

            Assert.Multiple(() =>
            {
                Assert.That(stopped.Means, Is.EqualTo(StopMeans.NotRunning));
                Assert.That(strange.IsAlive, Is.True);
                Assert.That(PidFd.TryOpen(strange with { StartTicks = strange.StartTicks - 1 }), Is.Null);
            });
        }
        finally
        {
            stranger.Kill();
        }
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task The_exit_code_is_known_of_a_release_that_ended_while_no_agent_watched_and_it_is_started_again(CancellationToken cancellation)
    {
        var slot = await RunningAsync(cancellation);
        var process = slot.Run!.Process.Identity;
        var kept = KeeperFiles.ReadInstance(host.Directories.Of(slot.Key))!;

        host.EndAgent();
        host.OpenAgent();
        await host.Script.RpcAsync(
            AgentHost.Target("main", slot.Snapshot().Record.Spec, host.One), "spawn(fn -> System.halt(7) end)", TimeSpan.FromSeconds(30), null, cancellation);
        await Eventually.TrueAsync(() => !process.IsAlive && ProcessIdentity.Of(kept.KeeperPid)?.StartTicks != kept.KeeperStartTicks, "the end of release and keeper");
        await host.Instances.ResumeAllAsync(cancellation);

        var resumed = host.Instances.Get(slot.Key);
        await Eventually.TrueAsync(() => resumed.Run is not null, "the restart");
        Assert.Multiple(() =>
        {
            Assert.That(resumed.Snapshot().Record.LastExit!.ExitCode, Is.EqualTo(7));
            Assert.That(resumed.Snapshot().Record.LastExit!.Tail, Has.Some.Contains("demo 1.0.0 is ready"));
            Assert.That((resumed.Snapshot().Record.Restarts, resumed.Snapshot().AdoptedAt), Is.EqualTo((1, (DateTimeOffset?)null)));
            Assert.That(host.Store.All().Single().LastExit!.ExitCode, Is.EqualTo(7), "the next agent knows it too");
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_release_goes_on_without_its_keeper_and_is_adopted_and_its_exit_code_is_not_known(CancellationToken cancellation)
    {
        var slot = await RunningAsync(cancellation);
        var process = slot.Run!.Process.Identity;
        var kept = KeeperFiles.ReadInstance(host.Directories.Of(slot.Key))!;

        Signals.Kill(kept.KeeperPid);
        await Eventually.TrueAsync(() => ProcessIdentity.Of(kept.KeeperPid)?.StartTicks != kept.KeeperStartTicks, "the end of the keeper");
        // What it prints goes nowhere now; that must not end it.
        await host.Script.RpcAsync(
            AgentHost.Target("main", slot.Snapshot().Record.Spec, host.One),
            "for n <- 1..2000, do: IO.puts(:user, \"line #{n}\")",
            TimeSpan.FromSeconds(30),
            null,
            cancellation);
        host.EndAgent();
        host.OpenAgent();
        await host.Instances.ResumeAllAsync(cancellation);
        var resumed = host.Instances.Get(slot.Key);
        var healthy = await host.AwaitHealthyAsync(resumed, host.One, cancellation);
        Signals.Send(process, SigTerm);
        await Eventually.TrueAsync(() => resumed.Snapshot().Record.Restarts == 1, "the end of the release");

        Assert.Multiple(() =>
        {
            Assert.That(healthy.Verified.Version, Is.EqualTo("1.0.0"));
            Assert.That(resumed.Snapshot().Record.LastExit!.ExitCode, Is.Null);
            Assert.That(resumed.Snapshot().Record.LastExit!.Describe(), Is.EqualTo("exit code unknown"));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_start_that_the_keeper_cannot_do_says_why_and_is_not_tried_again(CancellationToken cancellation)
    {
        // A file where the keeper writes down what it started.
        Directory.CreateDirectory(Path.Combine(host.Directories.Of(AgentHost.Key("main")), "instance.json.new"));

        var error = await AgentHost.RefusedAsync(() => host.StartAsync("main", host.Spec("demo-main@127.0.0.1"), host.One, cancellation));

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("START_FAILED"));
            Assert.That(error.Message, Does.Contain("demo/main could not be started: ").And.Contain("instance.json.new"));
            Assert.That(host.Store.All().Single().Wanted, Is.False);
        });
        await Eventually.TrueAsync(() => !LeftProcesses.Find(host.Path).Any(), "the end of the release and of the keeper that nobody can find again");
    }

    private static void Write(string directory, KeptInstance kept)
        => KeeperFiles.Write(KeeperFiles.Instance(directory), JsonSerializer.SerializeToUtf8Bytes(kept, KeeperJson.Default.KeptInstance));

    private async Task<InstanceSlot> RunningAsync(CancellationToken cancellation)
    {
        var slot = await host.StartAsync("main", host.Spec("demo-main@127.0.0.1"), host.One, cancellation);
        await host.AwaitHealthyAsync(slot, host.One, cancellation);
        return slot;
    }
}
