using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>What the app's user and the agent's user try on a booted host where a release with secrets runs, and are denied.</summary>
public class PrivilegeTests
{
    private const string Secret = "of-the-host-only";
    private SupervisedHost host = null!;
    private uint app;
    private string release = "";

    [OneTimeSetUp]
    public async Task Start()
    {
        host = await SupervisedHost.StartAsync("systemd", CancellationToken.None);
        await host.RunAsync($"umask 077; echo SECRET={Secret} | tee /etc/decant/apps/demo.env >/etc/decant/apps/other.env; echo k >/etc/decant/tls.key", CancellationToken.None);
        app = (await host.StartedAsync("main", host.Spec("main"), CancellationToken.None)).Pid;
        release = (await host.RunAsync("echo /var/lib/decant/releases/demo/1.0.0-*", CancellationToken.None)).Output.Trim();
    }

    [OneTimeTearDown]
    public async Task End()
    {
        if (host is not null) await host.DisposeAsync();
    }

    [TestCase("cat /etc/decant/apps/demo.env")]
    [TestCase("cat /etc/decant/apps/other.env")]
    [TestCase("ls /etc/decant/apps")]
    [TestCase("cat /etc/decant/agent.yml")]
    [TestCase("echo 'apps: {}' >>/etc/decant/agent.yml")]
    [TestCase("cat /run/decant-secrets/*")]
    [TestCase("ls /run/decant-secrets")]
    [TestCase("cat /var/lib/decant/agent.db")]
    [TestCase("cat /var/lib/decant/apps/demo/cookie")]
    [TestCase("ls /var/lib/decant/uploads")]
    [TestCase("ls /var/lib/decant/units")]
    [TestCase("echo '{}' >/var/lib/decant/units/demo-main.json")]
    [TestCase("echo x >>RELEASE/bin/demo")]
    [TestCase("touch RELEASE/lib/mine")]
    [TestCase("rm -rf RELEASE/releases")]
    [TestCase("mv RELEASE /var/lib/decant/releases/demo/gone")]
    [TestCase("chmod u+w RELEASE/bin/demo")]
    [TestCase("mkdir /var/lib/decant/releases/demo/9.9.9-000000000000")]
    [TestCase("cat RELEASE/releases/COOKIE")]
    [TestCase("ls /run/decant")]
    [TestCase("perl -MSocket -e 'socket(S,AF_UNIX,SOCK_STREAM,0); connect(S,sockaddr_un(\"/run/decant/decantd.sock\")) or die $!'")]
    [TestCase("kill -KILL $(systemctl show decantd -p MainPID --value)")]
    [TestCase("cat /proc/$(systemctl show decantd -p MainPID --value)/environ")]
    [TestCase("systemctl --no-ask-password start decant-app@demo-blue")]
    [TestCase("systemctl --no-ask-password stop decantd")]
    [TestCase("systemctl --no-ask-password kill decantd")]
    [TestCase("systemctl --no-ask-password restart decant-epmd")]
    [TestCase("systemd-run --no-ask-password --wait true")]
    [TestCase("journalctl -q -u decantd | grep .")]
    [TestCase("cat /etc/shadow")]
    [CancelAfter(60_000)]
    public async Task The_apps_user_is_denied(string attempt, CancellationToken cancellation) => await DeniedAsync("-u decant-app", attempt, cancellation);

    [TestCase("cat /etc/decant/apps/demo.env")]
    [TestCase("ls /etc/decant/apps")]
    [TestCase("cat /run/decant-secrets/*")]
    [TestCase("ls /run/decant-secrets")]
    [TestCase("cat /proc/APP/environ")]
    [TestCase("ls /proc/APP/root/")]
    [TestCase("kill -TERM APP")]
    [TestCase("echo 'supervisor: process' >>/etc/decant/agent.yml")]
    [TestCase("mv /etc/decant/agent.yml /etc/decant/agent.old")]
    [TestCase("cat /etc/decant/tls.key")]
    [TestCase("echo x >>/usr/bin/decantd")]
    [TestCase("echo >/etc/systemd/system/mine.service")]
    [TestCase("echo >/usr/lib/systemd/system/decant-app@.service")]
    [TestCase("echo >/usr/share/polkit-1/rules.d/mine.rules")]
    [TestCase("cat /etc/shadow")]
    [TestCase("systemctl --no-ask-password start haproxy")]
    [TestCase("systemctl --no-ask-password stop dbus")]
    [TestCase("systemctl --no-ask-password stop decant-app@demo-main")]
    [TestCase("systemctl --no-ask-password restart decant-app@demo-main")]
    [TestCase("systemctl --no-ask-password reload-or-restart decantd")]
    [TestCase("systemctl --no-ask-password kill dbus")]
    [TestCase("systemctl --no-ask-password set-property decant-app@demo-main MemoryMax=1G")]
    [TestCase("systemctl --no-ask-password enable decant-app@demo-main")]
    [TestCase("systemctl --no-ask-password link /var/lib/decant/mine.service")]
    [TestCase("systemctl --no-ask-password mask dbus")]
    [TestCase("systemctl --no-ask-password daemon-reload")]
    [TestCase("systemctl --no-ask-password set-environment LD_PRELOAD=/var/lib/decant/mine.so")]
    [TestCase("systemctl --no-ask-password reboot")]
    [TestCase("systemctl --no-ask-password poweroff")]
    [TestCase("systemd-run --no-ask-password --wait true")]
    [TestCase("systemd-run --no-ask-password --wait --unit=decant-app@mine.service true")]
    [TestCase("systemd-run --no-ask-password --wait --unit=decant-task@mine.service true")]
    [TestCase("systemctl --no-ask-password start decant-proxy")]
    [TestCase("busctl call org.freedesktop.hostname1 /org/freedesktop/hostname1 org.freedesktop.hostname1 SetStaticHostname sb mine false")]
    [TestCase("su -c true root </dev/null")]
    [TestCase("mount -t tmpfs none /mnt")]
    [CancelAfter(60_000)]
    public async Task The_agents_user_is_denied(string attempt, CancellationToken cancellation)
        => await DeniedAsync("-u decant -G decant -G decant-app -G systemd-journal", attempt, cancellation);

    [Test]
    [CancelAfter(60_000)]
    public async Task What_the_agents_user_may_do_it_can(CancellationToken cancellation)
    {
        var started = await host.RunAsync("runuser -u decant -- systemctl --no-ask-password start decant-epmd decant-app@demo-main", cancellation);
        var signalled = await host.RunAsync("runuser -u decant -- systemctl --no-ask-password kill --signal=CONT decant-app@demo-main", cancellation);

        Assert.That((started.ExitCode, signalled.ExitCode), Is.EqualTo((0, 0)), $"{started.Everything}\n{signalled.Everything}");
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task An_order_that_the_agents_user_points_at_a_file_of_roots_shows_nothing_of_it(CancellationToken cancellation)
    {
        var tried = await host.RunAsync(
            """
            cd /var/lib/decant/units
            for file in /etc/shadow /etc/decant/apps/demo.env /run/decant-secrets/demo-main.env; do
              runuser -u decant -- ln -sf $file mine-x.json
              runuser -u decant -- systemctl --no-ask-password start decant-app@mine-x
            done
            sleep 0.3
            systemctl show decant-app@mine-x -p ExecMainStatus --value
            journalctl -b --no-pager -o cat | grep -cE 'of-the-host-only|root:\*|root:!'
            """,
            cancellation);

        Assert.That(tried.Output, Is.EqualTo("2\n0\n"), tried.Everything);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Whatever_the_agents_user_orders_runs_as_the_apps_user_and_without_a_way_to_more(CancellationToken cancellation)
    {
        var tried = await host.RunAsync(
            """
            cd /var/lib/decant/units
            printf '%s' '{"program":"/bin/sh","arguments":["-c","id -u; id -G; grep NoNewPrivs /proc/self/status; touch /usr/mine /etc/mine"],"environment":{"PATH":"/usr/bin:/bin","LD_PRELOAD":"/nowhere.so"},"directory":"/","made":[],"low_priority":false}' >mine-y.json
            chown decant:decant-app mine-y.json; chmod 640 mine-y.json
            runuser -u decant -- systemctl --no-ask-password start decant-app@mine-y
            sleep 0.5
            journalctl -b -o cat _SYSTEMD_UNIT=decant-app@mine-y.service | grep -v preload
            id -u decant-app; id -g decant-app
            """,
            cancellation);

        var lines = tried.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Some.EqualTo("NoNewPrivs:\t1"), tried.Everything);
        Assert.That((lines[0], lines[1]), Is.EqualTo((lines[^2], lines[^1])), tried.Everything);
        Assert.That((await host.RunAsync("ls /usr/mine /etc/mine", cancellation)).ExitCode, Is.Not.Zero);
    }

    private async Task DeniedAsync(string who, string attempt, CancellationToken cancellation)
    {
        var line = attempt.Replace("RELEASE", release, StringComparison.Ordinal).Replace("APP", $"{app}", StringComparison.Ordinal).Replace("'", "'\\''", StringComparison.Ordinal);
        var tried = await host.RunAsync($"runuser {who} -- /bin/bash -c '{line}'", cancellation);

        Assert.That(tried.ExitCode, Is.Not.Zero, tried.Everything);
        Assert.That(tried.Everything, Does.Not.Contain(Secret));
        // Denied, and not merely a command that is wrong.
        Assert.That(tried.Errors + tried.Output, Is.Empty.Or.Match("(?i)denied|not permitted|authentication|authorized|read-only|required|failure|superuser|insufficient permissions"), tried.Everything);
    }
}
