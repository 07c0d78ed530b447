using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>The packages in the hands of apt and dpkg, on a copy of this machine's system. No systemd runs there: the agent is not started.</summary>
public class PackageInstallTests
{
    private const string State = "/etc/systemd/system/multi-user.target.wants/decantd.service";

    private DebianPackages packages = null!;
    private string newer = null!;
    private OverlayRoot installed = null!;
    private OverlayRoot root = null!;

    [OneTimeSetUp]
    public async Task InstallAsync()
    {
        NativePrograms.OrSkip();
        packages = await DebianPackages.SharedAsync();
        installed = new OverlayRoot();
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        newer = await packages.AgentOfVersionAsync("99.0", deadline.Token);
        await installed.DoAsync($"apt-get install -y -q --no-install-recommends {packages.Agent} {packages.Controller}", deadline.Token);
    }

    [OneTimeTearDown]
    public void RemoveAll() => installed?.Dispose();

    [SetUp]
    public async Task CopyAsync() => root = await installed.CopyAsync(CancellationToken.None);

    [TearDown]
    public void Remove() => root.Dispose();

    [Test]
    [CancelAfter(120_000)]
    public async Task Apt_installs_users_without_passwords_private_directories_and_an_enabled_agent(CancellationToken cancellation)
    {
        await Assert.MultipleAsync(async () =>
        {
            Assert.That(await root.DoAsync("decantd --version; decant --version", cancellation), Is.EqualTo($"decantd {DebianPackages.Version}\n{DebianPackages.Version}\n"));
            foreach (var user in (string[])["decant", "decant-app"])
            {
                Assert.That(await root.DoAsync($"getent passwd {user}", cancellation), Does.EndWith(":/usr/sbin/nologin\n"));
                Assert.That(await root.DoAsync($"getent shadow {user}", cancellation), Does.Match($"^{user}:!"), "locked");
            }

            Assert.That(
                await root.DoAsync("stat -c '%a %U:%G %n' /etc/decant /etc/decant/agent.yml /etc/decant/apps /etc/decant/tls", cancellation),
                Is.EqualTo("750 root:decant /etc/decant\n644 root:root /etc/decant/agent.yml\n700 root:root /etc/decant/apps\n700 decant:decant /etc/decant/tls\n"));
            Assert.That(await root.DoAsync("systemctl is-enabled decantd.service", cancellation), Is.EqualTo("enabled\n"));
            Assert.That((await root.RunAsync("systemctl is-enabled decant-proxy.service decant-proxy.socket", cancellation)).Output, Is.EqualTo("disabled\ndisabled\n"));
            Assert.That(await root.DoAsync("dpkg --audit; dpkg --verify decant-agent decant", cancellation), Is.Empty);
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task An_upgrade_keeps_state_configuration_and_the_administrators_choice(CancellationToken cancellation)
    {
        await root.DoAsync(
            """
            systemctl disable decantd.service 2>/dev/null
            echo 'logging: { level: debug }' >/etc/decant/agent.yml
            install -D -m 600 /dev/stdin /var/lib/decant/agent.db <<<state
            install -m 600 /dev/stdin /etc/decant/apps/shop.env <<<SECRET=1
            """,
            cancellation);

        await root.DoAsync($"dpkg -i {newer}", cancellation);

        await Assert.MultipleAsync(async () =>
        {
            Assert.That(await root.DoAsync("dpkg-query -W -f '${Version} ${Status}' decant-agent", cancellation), Is.EqualTo("99.0 install ok installed"));
            Assert.That(
                await root.DoAsync("cat /etc/decant/agent.yml /var/lib/decant/agent.db /etc/decant/apps/shop.env", cancellation),
                Is.EqualTo("logging: { level: debug }\nstate\nSECRET=1\n"));
            Assert.That(await root.DoAsync("stat -c %a /etc/decant/apps/shop.env", cancellation), Is.EqualTo("600\n"));
            Assert.That(await root.DoAsync($"test -e {State} && echo enabled || echo disabled", cancellation), Is.EqualTo("disabled\n"));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task An_upgrade_that_the_configuration_does_not_fit_says_so_and_is_completed_when_it_is_mended(CancellationToken cancellation)
    {
        await root.DoAsync("echo 'no_such_key: 1' >/etc/decant/agent.yml", cancellation);

        var refused = await root.RunAsync($"dpkg -i {newer}", cancellation);
        var mended = await root.RunAsync("echo 'host: web1' >/etc/decant/agent.yml; dpkg --configure decant-agent", cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(refused.ExitCode, Is.Not.Zero);
            Assert.That(refused.Errors, Does.Contain("no_such_key").And.Contain("one that ran still runs, as its earlier version").And.Contain("dpkg --configure decant-agent"));
            Assert.That(mended.ExitCode, Is.Zero, mended.Everything);
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task Removal_leaves_what_runs_and_all_data_and_purging_waits_until_nothing_runs(CancellationToken cancellation)
    {
        // What a release is to dpkg: a process whose program is below /var/lib/decant. epmd is the agent's own.
        var outcome = await root.RunAsync(
            """
            mkdir -p /var/lib/decant/releases/shop
            cp /bin/sleep /var/lib/decant/releases/shop/beam.smp
            cp /bin/sleep /var/lib/decant/releases/shop/epmd
            /var/lib/decant/releases/shop/beam.smp 600 & release=$!
            /var/lib/decant/releases/shop/epmd 600 & epmd=$!
            echo "== remove"; apt-get remove -y -q decant-agent 2>&1 || echo "failed"
            kill -0 $release && kill -0 $epmd && test -e /var/lib/decant/releases/shop/epmd && test -e /etc/decant/agent.yml && echo "all is there"
            echo "== purge"; apt-get purge -y -q decant-agent 2>&1 || echo "refused"
            kill -0 $release && test -e /var/lib/decant/releases/shop/epmd && echo "all is there"
            kill $release; wait $release
            echo "== again"; apt-get purge -y -q decant-agent 2>&1 || echo "refused"
            wait $epmd; echo "epmd ended with $?"
            ls -d /etc/decant /var/lib/decant /run/decant 2>&1
            getent shadow decant
            dpkg-query -W -f '${Status}' decant-agent 2>&1
            """,
            cancellation);

        var parts = outcome.Output.Split("== ", StringSplitOptions.RemoveEmptyEntries).ToDictionary(p => p.Split('\n')[0]);
        Assert.Multiple(() =>
        {
            Assert.That(parts["remove"], Does.Contain("releases go on serving without their agent").And.Contain("\nall is there\n").And.Not.Contain("failed\n"));
            Assert.That(parts["purge"], Does.Contain("beam.smp (pid ").And.Contain("\nrefused\n").And.Contain("\nall is there\n"));
            Assert.That(parts["again"], Does.Not.Contain("refused").And.Contain("epmd ended with 143"));
            Assert.That(parts["again"], Does.Contain("'/etc/decant': No such file").And.Contain("'/var/lib/decant': No such file").And.Contain("'/run/decant': No such file"));
            Assert.That(parts["again"], Does.Contain("\ndecant:!"), "the user stays, locked");
            Assert.That(parts["again"], Does.Contain("no packages found matching decant-agent"));
        });
    }
}
