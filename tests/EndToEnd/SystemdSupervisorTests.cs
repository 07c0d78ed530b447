using System.Security.Cryptography;
using System.Text;
using Decant.EndToEnd.Harness;
using Decant.V1;

namespace Decant.EndToEnd;

/// <summary>What is systemd's alone: units, stopped and started by hand, reboots, and secrets that the agent never sees.</summary>
public class SystemdSupervisorTests
{
    private const string Canary = "canary-7f3a9c";

    // Who prints a secret has it in the operation's record.
    private const string Sum = "IO.puts(Base.encode16(:crypto.hash(:sha256, System.get_env(\"DEMO_SECRET\"))))";

    private SupervisedHost host = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        host = await SupervisedHost.StartAsync("systemd", CancellationToken.None);
        await host.RunAsync($"umask 077; printf 'DEMO_SECRET=\"{Canary} $x\"\\nPORT=1\\nexport RELEASE_COOKIE=of-the-host\\n' >/etc/decant/apps/demo.env", CancellationToken.None);
    }

    [OneTimeTearDown]
    public async Task End()
    {
        if (host is not null) await host.DisposeAsync();
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_slot_is_a_unit_with_the_apps_user_output_and_secrets_which_the_agent_never_sees(CancellationToken cancellation)
    {
        var started = await host.StartedAsync("main", host.Spec("main"), cancellation);

        var unit = (await host.RunAsync("systemctl show decant-app@demo-main -p MainPID,ActiveState,Type,User,Restart", cancellation)).Output;
        var owner = (await host.RunAsync($"stat -c '%U %G' /proc/{started.Pid}; cat /proc/{started.Pid}/cgroup", cancellation)).Output;
        var secret = await host.EvaluatedAsync("main", $"{Sum}; IO.puts(System.get_env(\"PORT\"))", separate: false, cancellation);
        var task = await host.EvaluatedAsync("main", $"{Sum}; IO.puts(System.get_env(\"RELEASE_COOKIE\"))", separate: true, cancellation);
        var sum = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{Canary} $x")));
        var journal = (await host.RunAsync("journalctl -b -t demo-main -o cat", cancellation)).Output;
        // Where it is allowed to be: the root-only file, and the environments of the app's own processes.
        var found = (await host.RunAsync(
            // Nothing that looks for it has it in its own command line.
            $"printf %s%s {Canary[..6]} {Canary[6..]} >/tmp/wanted; grep -rlF -f /tmp/wanted /etc /var/lib /run /var/log --exclude-dir=journal; "
            + "journalctl -b -o cat | grep -cF -f /tmp/wanted; grep -lF -f /tmp/wanted /proc/[0-9]*/cmdline",
            cancellation)).Output;
        await host.StoppedAsync("main", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(unit.Split('\n'), Is.SupersetOf(new[] { $"MainPID={started.Pid}", "ActiveState=active", "Type=exec", "User=decant-app", "Restart=no" }));
            Assert.That(owner, Does.StartWith("decant-app decant-app\n").And.Contain("decant-app@demo-main.service"));
            Assert.That(secret, Is.EqualTo($"{sum}\n{started.Spec.Port}"), "what the agent decides wins");
            Assert.That(task, Is.EqualTo($"{sum}\nof-the-host"));
            Assert.That(journal, Does.Contain("demo 1.0.0 is ready"));
            Assert.That(found, Is.EqualTo("/etc/decant/apps/demo.env\n0\n"));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task One_that_is_stopped_by_hand_stays_so_over_the_agents_restart_and_one_that_is_started_by_hand_is_taken_over(CancellationToken cancellation)
    {
        var spec = host.Spec("hand");
        await host.StartedAsync("hand", spec, cancellation);

        await host.RunAsync("systemctl stop decant-app@demo-hand", cancellation);
        Instance stopped = null!;
        await Eventually.TrueAsync(async () => (stopped = await host.InstanceAsync("hand", cancellation)).StoppedByHand, "that the agent has seen it", cancellation);
        await host.ReplaceAgentAsync(cancellation);
        var still = await host.InstanceAsync("hand", cancellation);
        await host.RunAsync("systemctl start decant-app@demo-hand", cancellation);
        Instance taken = null!;
        await Eventually.TrueAsync(async () => (taken = await host.InstanceAsync("hand", cancellation)) is { State: InstanceState.Running }, "that it is taken over", cancellation);

        // A VM that boots takes no notice of SIGTERM: it is stopped when it serves.
        await host.StartedAsync("hand", spec, cancellation);

        // And while no agent looks.
        await host.StopAgentAsync(cancellation);
        await host.RunAsync("systemctl stop decant-app@demo-hand", cancellation);
        await host.StartAgentAsync(cancellation);
        var unseen = await host.InstanceAsync("hand", cancellation);
        var started = await host.StartedAsync("hand", spec, cancellation);
        await host.StoppedAsync("hand", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That((stopped.State, stopped.Restarts), Is.EqualTo((InstanceState.Stopped, 0u)));
            Assert.That((still.State, still.StoppedByHand), Is.EqualTo((InstanceState.Stopped, true)));
            Assert.That((taken.Adopted, taken.StoppedByHand), Is.EqualTo((true, false)));
            Assert.That((unseen.State, unseen.StoppedByHand), Is.EqualTo((InstanceState.Stopped, true)));
            Assert.That(started.StoppedByHand, Is.False, "a start is a start");
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_secret_file_that_others_may_read_keeps_the_app_from_starting_and_the_reason_is_told(CancellationToken cancellation)
    {
        await host.RunAsync("chmod 644 /etc/decant/apps/demo.env", cancellation);
        try
        {
            var error = await AgentClient.ErrorAsync(() => host.StartedAsync("exposed", host.Spec("exposed"), cancellation));

            Assert.That(error.Reason, Is.EqualTo("START_FAILED"));
            Assert.That(error.Message, Does.Contain("/etc/decant/apps/demo.env can be read or written by others than its owner"));
        }
        finally
        {
            await host.RunAsync("chmod 600 /etc/decant/apps/demo.env", cancellation);
        }
    }
}
