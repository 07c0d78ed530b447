using CsCheck;
using Decant.Agent.Elixir;
using Decant.Agent.Health;
using Decant.Agent.Instances;
using Decant.Agent.Releases;
using Decant.Agent.State;
using Decant.Agent.Tests.Releases;
using Decant.Names;

namespace Decant.Agent.Tests.Instances;

public class InstanceStoreTests
{
    private static readonly Gen<string> Text = Gen.String[Gen.Char[' ', '~'], 0, 20];

    private static readonly Gen<HealthProbe> Probe = Gen.OneOf<HealthProbe>(
        Gen.Select(Text, Gen.Bool, Gen.Int[100, 599], Text, (path, any, status, body)
            => (HealthProbe)new HealthProbe.Http($"/{path}", any ? null : status, body.Length == 0 ? null : body, any ? "shop.example" : null)),
        Gen.Const<HealthProbe>(new HealthProbe.Tcp()),
        Text.Select(expression => (HealthProbe)new HealthProbe.Rpc(expression)));

    private static readonly Gen<HealthCheck> Check = Gen.Select(
        Probe, Gen.Int[1, 1_000_000], Gen.Int[1, 9], Gen.Int[1, 9],
        (probe, ms, rise, fall) => new HealthCheck(
            probe, TimeSpan.FromMilliseconds(ms), TimeSpan.FromTicks(ms), TimeSpan.FromSeconds(ms), rise, fall));

    private static readonly Gen<ExitReport> Exit = Gen.Select(
        Gen.Int[-1, 255], Text.Array[0, 5], Gen.Bool,
        (code, tail, dump) => new ExitReport(
            code < 0 ? null : code, DateTimeOffset.UnixEpoch.AddTicks(code + 12345), tail, dump ? "/var/dump" : null));

    [Test]
    public void What_a_slot_is_meant_to_do_is_read_as_it_was_written()
    {
        using var directory = new TemporaryDirectory();
        using var database = AgentDatabase.Open(directory["agent.db"]);
        var store = new InstanceStore(database);

        Gen.Select(Check.Null(), Exit.Null(), Gen.Bool, Gen.Dictionary(Gen.String[Gen.Char['A', 'Z'], 1, 8], Text)[0, 5], Gen.Int[1, 65535]).Sample(
            (check, exit, flag, variables, number) =>
            {
                var record = new InstanceRecord(
                    AgentHost.Key("main"),
                    flag,
                    FakeRelease.IdOf([(byte)number]),
                    new SlotSpec(number, NodeName.Parse("shop@127.0.0.1"), !flag, variables),
                    check,
                    flag ? DeploymentId.Parse("d1") : null,
                    number,
                    exit);
                store.Save(record);
                var read = store.All().Single();

                return read.Spec.IsSameAs(record.Spec)
                    && (read.LastExit?.Tail ?? []).SequenceEqual(exit?.Tail ?? [])
                    && (read with { Spec = record.Spec, LastExit = read.LastExit is { } e ? e with { Tail = exit!.Tail } : null }) == record;
            },
            iter: 100,
            threads: 1);
    }

    [Test]
    public void A_spec_is_the_same_only_with_the_same_port_node_distribution_and_variables()
    {
        var spec = new SlotSpec(4000, NodeName.Parse("shop@127.0.0.1"), true, new Dictionary<string, string> { ["A"] = "1" });

        Assert.Multiple(() =>
        {
            Assert.That(spec.IsSameAs(spec with { Environment = new Dictionary<string, string> { ["A"] = "1" } }), Is.True);
            Assert.That(spec.IsSameAs(spec with { Port = 4001 }), Is.False);
            Assert.That(spec.IsSameAs(spec with { Node = NodeName.Parse("shop@localhost") }), Is.False);
            Assert.That(spec.IsSameAs(spec with { Distribution = false }), Is.False);
            Assert.That(spec.IsSameAs(spec with { Environment = new Dictionary<string, string> { ["A"] = "2" } }), Is.False);
            Assert.That(spec.IsSameAs(spec with { Environment = new Dictionary<string, string> { ["B"] = "1" } }), Is.False);
            Assert.That(spec.IsSameAs(spec with { Environment = new Dictionary<string, string>() }), Is.False);
        });
    }

    [Test]
    public void A_release_that_is_wanted_is_in_use_and_the_last_good_one_is_the_latest_that_is_not()
    {
        using var directory = new TemporaryDirectory();
        using var database = AgentDatabase.Open(directory["agent.db"]);
        var store = new InstanceStore(database);
        var directories = new ReleaseDirectories(directory["data"]);
        var use = new ReleaseUse(store, directories);
        var ids = Enumerable.Range(1, 3).Select(n => FakeRelease.IdOf([(byte)n], $"{n}.0.0")).ToList();
        foreach (var id in ids) Directory.CreateDirectory(directories.Tree(DemoReleases.App, id));
        foreach (var (id, hour) in ids.Select((id, hour) => (id, hour))) store.MarkKnownGood(DemoReleases.App, id, DateTimeOffset.UnixEpoch.AddHours(hour));
        var record = new InstanceRecord(
            AgentHost.Key("main"), true, ids[2], new SlotSpec(4000, NodeName.Parse("shop@localhost"), true, new Dictionary<string, string>()), null, null, 0, null);
        store.Save(record);

        var running = use.LastGood(DemoReleases.App);
        store.Save(record with { Wanted = false });
        var stopped = use.LastGood(DemoReleases.App);
        store.ForgetKnownGood(DemoReleases.App, ids[2]);

        Assert.Multiple(() =>
        {
            Assert.That(running, Is.EqualTo(ids[1]));
            Assert.That(stopped, Is.EqualTo(ids[2]), "nothing runs: it is what to go back to");
            Assert.That(use.LastGood(DemoReleases.App), Is.EqualTo(ids[1]), "the host went back from the other");
            Assert.That(use.InUse(DemoReleases.App), Is.Empty);
            Assert.That(use.LastGood(FakeRelease.Shop), Is.Null);
        });
    }
}
