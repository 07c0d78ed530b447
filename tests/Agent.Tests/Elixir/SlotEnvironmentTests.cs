using Decant.Agent.Configuration;
using Decant.Agent.Elixir;
using Decant.Agent.Instances;
using Decant.Agent.Releases;
using Decant.Agent.Tests.Releases;
using Decant.Names;

namespace Decant.Agent.Tests.Elixir;

public class SlotEnvironmentTests
{
    private static readonly InstanceKey Blue = new(FakeRelease.Shop, SlotName.Parse("blue"));

    private TemporaryDirectory directory = null!;
    private SlotEnvironment environment = null!;

    [SetUp]
    public void Make()
    {
        directory = new TemporaryDirectory();
        var directories = new AppDirectories(directory["data"]);
        environment = new SlotEnvironment(
            new AgentConfiguration { Host = "web1", File = directory["agent.yml"], EpmdPort = 4370 }, directories, new Cookies(directories));
    }

    [TearDown]
    public void Delete() => directory.Dispose();

    [Test]
    public void Nothing_of_the_agents_own_environment_is_in_it()
    {
        Assume.That(Environment.GetEnvironmentVariables().Keys, Has.Count.GreaterThan(3));

        Assert.That(Of().Keys, Is.EquivalentTo(new[]
        {
            "PATH", "HOME", "LANG", "TMPDIR", "PORT", "RELEASE_NODE", "RELEASE_DISTRIBUTION", "RELEASE_COOKIE", "RELEASE_TMP", "ERL_CRASH_DUMP",
            "ERL_CRASH_DUMP_SECONDS", "ERL_EPMD_PORT", "ERL_EPMD_ADDRESS", "ERL_AFLAGS", "DECANT_APP", "DECANT_SLOT", "DECANT_HOST",
            "DECANT_RELEASE", "DECANT_DEPLOYMENT",
        }));
    }

    [Test]
    public void The_env_file_wins_over_the_manifest_and_the_agent_over_both()
    {
        EnvFileHas("KEY=file", "PORT=1", "RELEASE_NODE=evil@host", "RELEASE_COOKIE=shared", "DECANT_HOST=other");

        var values = Of(("KEY", "manifest"), ("ONLY", "manifest"), ("LANG", "de_DE.UTF-8"), ("ERL_CRASH_DUMP", "/srv/dump"));

        Assert.Multiple(() =>
        {
            Assert.That((values["KEY"], values["ONLY"], values["LANG"]), Is.EqualTo(("file", "manifest", "de_DE.UTF-8")));
            Assert.That((values["PORT"], values["RELEASE_NODE"], values["DECANT_HOST"]), Is.EqualTo(("4000", "shop@127.0.0.1", "web1")));
            Assert.That(values["RELEASE_COOKIE"], Is.EqualTo("shared"), "a cluster has one cookie on all hosts");
            Assert.That(values["ERL_CRASH_DUMP"], Does.StartWith(directory.Path));
        });
    }

    [TestCase("shop@127.0.0.1", true, "name", true)]
    [TestCase("shop@localhost", true, "sname", true)]
    [TestCase("shop@web1.example.com", true, "name", false)]
    [TestCase("shop@web1", true, "sname", false)]
    [TestCase("shop@127.0.0.1", false, "none", false)]
    public void The_distribution_is_bound_to_loopback_when_the_node_is_there(string node, bool distribution, string kind, bool bound)
    {
        var values = environment.Of(
            Blue, new SlotSpec(4000, NodeName.Parse(node), distribution, new Dictionary<string, string> { ["ERL_AFLAGS"] = "-smp" }), Release, null);

        Assert.That((values["RELEASE_DISTRIBUTION"], values["ERL_AFLAGS"]),
            Is.EqualTo((kind, bound ? "-smp -kernel inet_dist_use_interface {127,0,0,1}" : "-smp")));
    }

    [Test]
    public void The_directories_of_a_slot_are_for_the_agents_user_only()
    {
        var values = Of();

        Assert.That(
            new[] { values["HOME"], values["TMPDIR"], Path.GetDirectoryName(values["ERL_CRASH_DUMP"])! }.Select(File.GetUnixFileMode),
            Is.All.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
    }

    [Test]
    public void Cookies_are_one_for_each_app_and_last()
    {
        var directories = new AppDirectories(directory["data"]);
        var first = new Cookies(directories).Of(FakeRelease.Shop);

        Assert.Multiple(() =>
        {
            Assert.That(new Cookies(directories).Of(FakeRelease.Shop), Is.EqualTo(first));
            Assert.That(new Cookies(directories).Of(AppName.Parse("blog")), Is.Not.EqualTo(first));
            Assert.That(first, Does.Match("^[0-9A-F]{48}$"));
        });
    }

    [TestCase("PORT", true)]
    [TestCase("RELEASE_VM_ARGS", true)]
    [TestCase("DECANT_SLOT", true)]
    [TestCase("PORTAL", false)]
    [TestCase("DATABASE_URL", false)]
    public void What_the_agent_sets_itself_is_reserved(string name, bool reserved) => Assert.That(SlotEnvironment.IsReserved(name), Is.EqualTo(reserved));

    private static StagedRelease Release => new(
        FakeRelease.Shop, FakeRelease.IdOf([1]), "/srv/shop", "13.1.5", true, 1, 1, DateTimeOffset.UnixEpoch);

    private IReadOnlyDictionary<string, string> Of(params (string Name, string Value)[] variables) => environment.Of(
        Blue,
        new SlotSpec(4000, NodeName.Parse("shop@127.0.0.1"), true, variables.ToDictionary(v => v.Name, v => v.Value)),
        Release,
        DeploymentId.Parse("d1"));

    private void EnvFileHas(params string[] lines)
    {
        Directory.CreateDirectory(directory["apps"]);
        File.WriteAllLines(directory["apps/shop.env"], lines);
        File.SetUnixFileMode(directory["apps/shop.env"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
