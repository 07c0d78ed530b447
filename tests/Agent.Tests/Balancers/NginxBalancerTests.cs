using System.Globalization;
using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Tests.Balancers;

/// <summary>What is particular to nginx: its files, its processes and what it cannot tell.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public class NginxBalancerTests
{
    private static readonly MemberName Shop = MemberName.Parse("shop");
    private static readonly MemberKey Web1 = new(Shop, MemberName.Parse("web1"));
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(20);
    private readonly TestMember one = new("web1");
    private readonly TestMember two = new("web2");
    private readonly RecordedReport report = new();

    [TearDown]
    public async Task StopMembers()
    {
        await one.DisposeAsync();
        await two.DisposeAsync();
    }

    [Test]
    public async Task A_file_that_was_edited_by_hand_is_left_as_it_is_until_its_digest_is_deleted()
    {
        await using var nginx = await RealNginx.StartAsync([one, two]);
        using var balancer = nginx.Balancer();
        await balancer.MaintenanceAsync(Web1, report, default);
        var edited = (await File.ReadAllTextAsync(nginx.UpstreamFile)).Replace("upstream shop {", "upstream shop {\n    keepalive 4;", StringComparison.Ordinal);
        await File.WriteAllTextAsync(nginx.UpstreamFile, edited);

        var refused = await Refusal.OfAsync(balancer.UndrainAsync(Shop, new PutIn(Web1.Member), Long, report, default));
        var read = await Refusal.OfAsync(balancer.ReadBackendAsync(Shop, default));
        var left = await File.ReadAllTextAsync(nginx.UpstreamFile);
        await File.WriteAllLinesAsync(nginx.UpstreamFile, edited.Split('\n').Where(l => !l.StartsWith("# decant-digest", StringComparison.Ordinal)));
        await balancer.UndrainAsync(Shop, new PutIn(Web1.Member), Long, report, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(refused.Reason, Is.EqualTo("CONFIG_EDITED"));
            Assert.That(refused.Message, Does.Contain(nginx.UpstreamFile));
            Assert.That(refused.WhatNext, Does.Contain("delete its line"));
            Assert.That(read.Reason, Is.EqualTo("CONFIG_EDITED"));
            Assert.That(left, Is.EqualTo(edited));
            Assert.That(await File.ReadAllTextAsync(nginx.UpstreamFile), Does.Contain("keepalive 4;"));
        }
    }

    [Test]
    public async Task A_configuration_that_is_broken_by_hand_is_refused_with_nginxs_words_before_anything_is_changed()
    {
        await using var nginx = await RealNginx.StartAsync([one, two]);
        using var balancer = nginx.Balancer();
        await File.AppendAllTextAsync(nginx.ConfigurationFile, "\nfrobnicate on;\n");
        var before = await File.ReadAllTextAsync(nginx.UpstreamFile);

        var error = await Refusal.OfAsync(balancer.DrainAsync(Web1, new DrainOptions(Long, 0), report, default));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Reason, Is.EqualTo("BALANCER_REFUSED"));
            Assert.That(error.Message, Does.Contain("unknown directive \"frobnicate\"").And.Contain("broken already"));
            Assert.That(await File.ReadAllTextAsync(nginx.UpstreamFile), Is.EqualTo(before));
            Assert.That(await AnswersAsync(nginx), Does.Contain("web1"));
        }
    }

    [Test]
    public async Task What_nginx_refuses_is_taken_back_with_its_words()
    {
        await using var nginx = await RealNginx.StartAsync([one, two]);
        using var balancer = nginx.Balancer();
        var text = await File.ReadAllTextAsync(nginx.UpstreamFile);
        await File.WriteAllTextAsync(nginx.UpstreamFile, text.Replace("; # member web2", " backup; # member web2", StringComparison.Ordinal));
        await balancer.DrainAsync(Web1, new DrainOptions(Long, 0), report, default);
        var before = await File.ReadAllTextAsync(nginx.UpstreamFile);

        // nginx wants a server that is no backup.
        var error = await Refusal.OfAsync(balancer.RemoveAsync(Web1, report, default));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Reason, Is.EqualTo("BALANCER_REFUSED"));
            Assert.That(error.Message, Does.Contain("no servers").And.Contain("serves as before"));
            Assert.That(await File.ReadAllTextAsync(nginx.UpstreamFile), Is.EqualTo(before));
            Assert.That(before, Does.Contain("backup"));
            Assert.That(await AnswersAsync(nginx), Is.All.EqualTo("web2"));
        }
    }

    [Test]
    public async Task Neither_idle_clients_nor_kept_connections_to_members_hold_a_drain()
    {
        await using var nginx = await RealNginx.StartAsync([one, two], directives: "keepalive 8;");
        using var balancer = nginx.Balancer();
        using var client = UnixFront.Client(nginx["front.sock"], keepAlive: true);
        for (var i = 0; i < 4; i++) await client.GetStringAsync("/");
        var kept = (await balancer.ReadBackendAsync(Shop, default)).Members.Sum(m => m.Sessions);

        var drained = await balancer.DrainAsync(Web1, new DrainOptions(Long, 0), report, default);

        Assert.That(kept, Is.Positive);
        Assert.That(drained.SessionsLeft, Is.Zero);
        Assert.That(drained.Elapsed, Is.LessThan(TimeSpan.FromSeconds(5)));
    }

    [Test]
    public async Task On_a_full_disk_the_old_file_stays_and_nginx_serves_as_before()
    {
        await using var nginx = await RealNginx.StartAsync([one, two]);
        using var balancer = nginx.Balancer();
        var before = await File.ReadAllTextAsync(nginx.UpstreamFile);
        // What is written there finds no room (full(4)).
        File.CreateSymbolicLink(nginx["decant/.shop.conf.new"], "/dev/full");

        var error = await Refusal.OfAsync(balancer.DrainAsync(Web1, new DrainOptions(Long, 0), report, default));
        var again = await balancer.DrainAsync(Web1, new DrainOptions(Long, 0), report, default);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Reason, Is.EqualTo("BALANCER_REFUSED"));
            Assert.That(error.Message, Does.Contain("cannot be written").And.Contain("No space left"));
            Assert.That(before, Does.Not.Contain("down"));
            Assert.That(again.Unchanged, Is.False, "with room again it is done");
        }
    }

    [Test]
    public async Task A_file_that_nginx_does_not_include_is_refused()
    {
        await using var nginx = await RealNginx.StartAsync([one, two]);
        using var balancer = nginx.Balancer();
        await File.WriteAllTextAsync(nginx["decant/other.conf"], "upstream other {\n    server 127.0.0.1:9 down; # nobody\n}\n");
        var main = await File.ReadAllTextAsync(nginx.ConfigurationFile);
        await File.WriteAllTextAsync(nginx.ConfigurationFile, main.Replace("/*.conf", "/shop.conf", StringComparison.Ordinal));

        var putIn = new PutIn(Web1.Member, MemberAddress.Parse($"127.0.0.1:{one.Port}"));
        var error = await Refusal.OfAsync(balancer.UndrainAsync(MemberName.Parse("other"), putIn, Long, report, default));

        Assert.That(error.Reason, Is.EqualTo("BALANCER_REFUSED"));
        Assert.That(error.WhatNext, Does.Contain("include"));
    }

    [Test]
    public async Task A_reload_that_does_not_come_about_is_noticed_and_the_file_taken_back()
    {
        await using var nginx = await RealNginx.StartAsync([one, two]);
        using var balancer = nginx.Balancer(new TableTimings { Reload = TimeSpan.FromSeconds(0.5) });
        var before = await File.ReadAllTextAsync(nginx.UpstreamFile);
        // nginx -t does not find out whether an address can be listened on.
        var main = await File.ReadAllTextAsync(nginx.ConfigurationFile);
        await File.WriteAllTextAsync(
            nginx.ConfigurationFile, main.Replace("server {", $"server {{ listen 127.0.0.1:{one.Port};", StringComparison.Ordinal));

        var error = await Refusal.OfAsync(balancer.DrainAsync(Web1, new DrainOptions(Long, 0), report, default));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Reason, Is.EqualTo("BALANCER_REFUSED"));
            Assert.That(error.Message, Does.Contain("told to reload and has not"));
            Assert.That(await File.ReadAllTextAsync(nginx.UpstreamFile), Is.EqualTo(before));
        }
    }

    [Test]
    public async Task What_was_written_before_an_agent_died_is_loaded_by_the_next()
    {
        await using var nginx = await RealNginx.StartAsync([one, two]);
        using (var first = nginx.Balancer()) await first.MaintenanceAsync(Web1, report, default);
        // Written, and nginx not told of it: as a crash between the two leaves it.
        var text = NginxUpstream.Parse(await File.ReadAllTextAsync(nginx.UpstreamFile));
        await File.WriteAllTextAsync(nginx.UpstreamFile, text.With(text.Table.With(MemberName.Parse("web2"), MemberState.Draining).With(Web1.Member, MemberState.Ready)).Text);

        using var next = nginx.Balancer();
        var drained = await next.DrainAsync(new MemberKey(Shop, MemberName.Parse("web2")), new DrainOptions(Long, 0), report, default);

        Assert.That(drained.Unchanged, Is.False);
        Assert.That(await AnswersAsync(nginx), Is.All.EqualTo("web1"));
    }

    [Test]
    public async Task Traffic_moves_in_one_reload()
    {
        await using var nginx = await RealNginx.StartAsync([one]);
        using var balancer = nginx.Balancer();
        var green = new PutIn(MemberName.Parse("web2"), MemberAddress.Parse($"127.0.0.1:{two.Port}"));

        await balancer.MoveAsync(Shop, new BalancerMove([green], [Web1.Member]), Long, report, default);

        var reloads = (await File.ReadAllLinesAsync(nginx["error.log"])).Count(l => l.Contains("signal 1 (SIGHUP)", StringComparison.Ordinal));
        Assert.That(reloads, Is.EqualTo(1));
        Assert.That(await AnswersAsync(nginx), Is.All.EqualTo("web2"));
    }

    [Test]
    public async Task A_drain_survives_that_nginx_is_restarted_with_another_master()
    {
        await using var nginx = await RealNginx.StartAsync([one, two]);
        using var balancer = nginx.Balancer();
        var slow = SlowAtOneAsync(nginx);
        await one.SlowArrived;
        var drain = balancer.DrainAsync(Web1, new DrainOptions(Long, 0), report, default);
        await Eventually.TrueAsync(() => report.Sessions.Any(s => s > 0), "sessions");

        await nginx.KillAsync();
        await nginx.RunAsync();
        var drained = await drain;

        Assert.That(drained.SessionsLeft, Is.Zero);
        Assert.That(await AnswersAsync(nginx), Is.All.EqualTo("web2"));
        await Task.WhenAny(slow);
    }

    [Test]
    public async Task While_its_program_is_upgraded_nginx_is_not_reloaded()
    {
        await using var nginx = await RealNginx.StartAsync([one, two]);
        using var balancer = nginx.Balancer();
        var old = nginx.Processes();
        Signals.Send(old[0], 12); // SIGUSR2: a new master beside the old one.
        await Eventually.TrueAsync(() => File.Exists(nginx.PidFile + ".oldbin") && nginx.Processes() is { Count: 3 } now && now[0] != old[0], "the new master");

        var error = await Refusal.OfAsync(balancer.DrainAsync(Web1, new DrainOptions(Long, 0), report, default));
        Signals.Send(old[0], 3); // SIGQUIT
        await Eventually.TrueAsync(() => old.All(p => !p.IsAlive), "the end of the old master");
        await balancer.DrainAsync(Web1, new DrainOptions(Long, 0), report, default);

        Assert.That(error.Reason, Is.EqualTo("BALANCER_REFUSED"));
        Assert.That(error.Message, Does.Contain($"pid {old[0].Pid}"));
        Assert.That(await AnswersAsync(nginx), Is.All.EqualTo("web2"));
    }

    [Test]
    public async Task A_pid_file_that_names_another_process_is_not_signalled()
    {
        await using var nginx = await RealNginx.StartAsync([one, two]);
        var stranger = nginx["stranger.pid"];
        await File.WriteAllTextAsync(stranger, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        using var balancer = new NginxBalancer(
            BalancerName.Parse("front"),
            new BalancerSettings.Nginx(nginx.ConfigurationFile, nginx["decant"], "/usr/sbin/nginx", stranger),
            new TableTimings(),
            TimeProvider.System);

        var error = await Refusal.OfAsync(balancer.MaintenanceAsync(Web1, report, default));

        Assert.That(error.Reason, Is.EqualTo("BALANCER_UNREACHABLE"));
        Assert.That(error.Message, Does.Contain("is not an nginx master"));
    }

    [Test]
    public async Task Old_workers_that_have_no_connection_to_the_member_are_told_of_at_the_deadline()
    {
        await using var nginx = await RealNginx.StartAsync([two, one]);
        using var balancer = nginx.Balancer();
        one.FinishSlow();
        var held = new List<Task<string>>();
        while (!two.SlowArrived.IsCompleted)
        {
            held.Add(nginx.GetAsync("/slow"));
            await Task.WhenAny(held[^1], two.SlowArrived);
        }

        var drained = await balancer.DrainAsync(Web1, new DrainOptions(TimeSpan.FromSeconds(0.5), 0), report, default);
        two.FinishSlow();
        await Task.WhenAll(held);

        Assert.That(drained.SessionsLeft, Is.Zero);
        Assert.That(report.Messages, Has.Some.Contains("no connection to this member"));
    }

    private static async Task<IReadOnlyList<string>> AnswersAsync(RealNginx nginx)
    {
        var answers = new List<string>();
        for (var i = 0; i < 10; i++) answers.Add(await nginx.GetAsync("/"));
        return answers;
    }

    /// <summary>Asks until web1 makes a slow answer; that one fails when nginx is killed.</summary>
    private async Task SlowAtOneAsync(RealNginx nginx)
    {
        two.FinishSlow();
        try
        {
            while (!one.SlowArrived.IsCompleted)
            {
                var asked = nginx.GetAsync("/slow");
                await Task.WhenAny(asked, one.SlowArrived);
                if (one.SlowArrived.IsCompleted) await asked;
            }
        }
        catch (HttpRequestException)
        {
            // As said.
        }
    }
}
