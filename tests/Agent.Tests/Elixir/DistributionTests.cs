using System.Net;
using Decant.Agent.Instances;
using Decant.Agent.Supervision;
using Decant.Agent.Tests.Balancers;

namespace Decant.Agent.Tests.Elixir;

/// <summary>Two live nodes of one app on a host: what Erlang's distribution makes of them, and of each other's end.</summary>
[Parallelizable(ParallelScope.Self)]
public class DistributionTests
{
    private AgentHost host = null!;
    private InstanceSlot blue = null!;
    private InstanceSlot green = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        host = await AgentHost.CreateAsync();
        blue = await host.StartAsync("blue", host.Spec("demo-blue@127.0.0.1"), host.One, CancellationToken.None);
        green = await host.StartAsync("green", host.Spec("demo-green@127.0.0.1"), host.One, CancellationToken.None);
        await Task.WhenAll(
            host.AwaitHealthyAsync(blue, host.One, CancellationToken.None), host.AwaitHealthyAsync(green, host.One, CancellationToken.None));
    }

    [OneTimeTearDown]
    public async Task Stop() => await host.DisposeAsync();

    [Test]
    [CancelAfter(120_000)]
    public async Task Epmd_and_the_distribution_port_are_open_on_loopback_only(CancellationToken cancellation)
    {
        var node = await ListeningSockets.OfAsync(green.Run!.Process.Identity.Pid, cancellation);
        var epmd = await ListeningSockets.OfAsync(ListeningSockets.OwnerOf(host.Configuration.EpmdPort)!.Value, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(node, Has.Count.EqualTo(2), "the app's own port and that of the distribution");
            Assert.That(node.Select(e => e.Address), Is.All.EqualTo(IPAddress.Loopback));
            Assert.That(epmd, Is.Not.Empty);
            Assert.That(epmd.Select(e => IPAddress.IsLoopback(e.Address)), Is.All.True, string.Join(' ', epmd));
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task One_build_reaches_the_node_of_another_by_the_apps_one_cookie(CancellationToken cancellation)
    {
        var cookies = new[] { host.One, host.Two }.Select(r => File.ReadAllText(Path.Combine(r.Root, "releases", "COOKIE")));
        Assume.That(cookies, Is.Unique, "each build brings a cookie of its own");

        var end = await host.Script.RpcAsync(
            AgentHost.Target("green", green.Snapshot().Record.Spec, host.Two), "IO.puts(Demo.version())", TimeSpan.FromSeconds(30), null, cancellation);

        Assert.That((end.ExitCode, end.TailText(1)), Is.EqualTo((0, "1.0.0")), "the node runs 1.0.0, the script that asked is that of 2.0.0");
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task The_cookie_is_for_its_owner_alone_and_in_no_argument_of_the_agents_own_and_no_other_file(CancellationToken cancellation)
    {
        var cookie = host.Cookies.Of(DemoReleases.App);
        var file = Path.Combine(host.Directories.Of(DemoReleases.App), "cookie");
        var kept = KeeperFiles.ReadInstance(host.Directories.Of(green.Key))!;
        var keeper = await File.ReadAllTextAsync($"/proc/{kept.KeeperPid}/cmdline", cancellation);
        // The database is the agent's, open and exclusive.
        var others = Directory.EnumerateFiles(host.Path, "*", SearchOption.AllDirectories)
            .Where(f => f != file && Path.GetFileName(f) is not ("agent.db" or "agent-log.db"))
            .Where(f => File.ReadAllText(f).Contains(cookie, StringComparison.Ordinal));

        Assert.Multiple(() =>
        {
            Assert.That(File.GetUnixFileMode(file), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
            Assert.That(cookie, Has.Length.EqualTo(48));
            Assert.That(host.Environment.Of(blue.Key, blue.Snapshot().Record.Spec, host.One, null)["RELEASE_COOKIE"], Is.EqualTo(cookie));
            Assert.That(host.Environment.Of(green.Key, green.Snapshot().Record.Spec, host.Two, null)["RELEASE_COOKIE"], Is.EqualTo(cookie));
            Assert.That(keeper, Does.Contain("keep-instance").And.Not.Contains(cookie));
            Assert.That(others, Is.Empty);
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task A_second_node_of_the_same_name_is_refused_before_anything_is_started(CancellationToken cancellation)
    {
        var error = await AgentHost.RefusedAsync(
            () => host.StartAsync("third", host.Spec("demo-green@127.0.0.1"), host.One, cancellation));

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("START_FAILED"));
            Assert.That(error.Message, Does.Contain("demo-green@127.0.0.1").And.Contain("registered with epmd by another live Erlang node"));
            Assert.That(host.Instances.Get(AgentHost.Key("third")).Snapshot().State, Is.EqualTo(InstanceState.Stopped));
            Assert.That(KeeperFiles.ReadInstance(host.Directories.Of(AgentHost.Key("third"))), Is.Null);
        });
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task The_end_of_the_instance_that_came_first_does_not_take_epmd_and_the_other_node_with_it(CancellationToken cancellation)
    {
        var epmd = ListeningSockets.OwnerOf(host.Configuration.EpmdPort)!.Value;
        var first = KeeperFiles.ReadInstance(host.Directories.Of(blue.Key))!;

        // All of the session, as a service manager ends all of a unit.
        foreach (var pid in Session(first.KeeperPid)) Signals.Kill(pid);
        await Eventually.TrueAsync(() => blue.Snapshot().Process?.Pid != first.Pid, "the end of the first instance");
        var end = await host.Script.RpcAsync(
            AgentHost.Target("green", green.Snapshot().Record.Spec, host.One), "IO.puts(node())", TimeSpan.FromSeconds(30), null, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That((end.ExitCode, end.TailText(1)), Is.EqualTo((0, "demo-green@127.0.0.1")));
            Assert.That(ListeningSockets.OwnerOf(host.Configuration.EpmdPort), Is.EqualTo(epmd));
        });
        await Eventually.TrueAsync(() => blue.Run is not null, "the restart of what was killed");
        await host.AwaitHealthyAsync(blue, host.One, cancellation);
        Assert.That(blue.Snapshot().Record.Restarts, Is.EqualTo(1));
    }

    private static IEnumerable<int> Session(int leader)
    {
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(entry), out var pid) || ProcessIdentity.Of(pid) is null) continue;
            var stat = File.ReadAllText(Path.Combine(entry, "stat"));
            if (stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[3] == $"{leader}") yield return pid;
        }
    }
}
