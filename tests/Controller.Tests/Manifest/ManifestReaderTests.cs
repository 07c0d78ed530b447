using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Tests.Manifest;

public class ManifestReaderTests
{
    [Test]
    public void A_full_manifest_is_read_value_by_value()
    {
        var manifest = Manifests.Read(Manifests.Full);

        Assert.Multiple(() =>
        {
            Assert.That(manifest.App.Value, Is.EqualTo("shop"));
            Assert.That(manifest.Hosts.Select(h => h.Name.Value), Is.EqualTo(new[] { "web1", "web2", "web3" }));
            Assert.That(manifest.Health, Is.EqualTo(new HealthPolicy(
                new HealthProbe.Http("/health", 200, "ok", "shop.test"), TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(3), 1, 4)));
            Assert.That(manifest.Migrations, Is.EqualTo(new MigrationPolicy("Shop.Release.migrate()", HostName.Parse("web2"), TimeSpan.FromMinutes(5))));
            Assert.That(manifest.Strategy, Is.EqualTo(new DeploymentStrategy(
                StrategyKind.Rolling,
                new HostShare.Percent(25),
                new HostShare.Count(0),
                TimeSpan.FromSeconds(2),
                TimeSpan.FromSeconds(90),
                TimeSpan.FromSeconds(31),
                TimeSpan.FromSeconds(32),
                TimeSpan.FromSeconds(6),
                TimeSpan.FromSeconds(33),
                TimeSpan.FromMinutes(10),
                1,
                AutoRollback: false)));
            Assert.That(manifest.KeepReleases, Is.EqualTo(7));
        });
    }

    [Test]
    public void A_host_has_the_slots_defaults_with_its_own_values_over_them()
    {
        var hosts = Manifests.Read(Manifests.Full).Hosts;

        Assert.Multiple(() =>
        {
            Assert.That(hosts[0].Slot.Port, Is.EqualTo(4001));
            Assert.That(hosts[0].Slot.Name.Value, Is.EqualTo("main"));
            Assert.That(hosts[1].Slot.Port, Is.EqualTo(4005));
            Assert.That(hosts[1].Slot.Name.Value, Is.EqualTo("blue"));
            Assert.That(hosts[1].Slot.Node, Is.EqualTo("shop@10.0.0.2"));
            Assert.That(hosts[1].Slot.Environment, Is.EquivalentTo(
                new Dictionary<string, string> { ["DEBUG"] = "true", ["LANG"] = "C.UTF-8", ["POOL_SIZE"] = "10" }));
            Assert.That(hosts[2].Slot.Environment["POOL_SIZE"], Is.EqualTo("5"));
        });
    }

    [Test]
    public void An_agent_that_is_not_named_is_expected_at_its_hosts_name_and_the_usual_port()
    {
        var manifest = Manifests.Read(Manifests.Full);

        Assert.Multiple(() =>
        {
            Assert.That(manifest.Hosts[1].Agent.Value, Is.EqualTo("web2.internal:7420"));
            Assert.That(manifest.Hosts[2].Agent.Value, Is.EqualTo("web3:7420"));
            Assert.That(manifest.Balancers[1].Agent?.Value, Is.EqualTo("inner:7420"));
        });
    }

    [Test]
    public void A_balancers_names_are_its_key_and_the_app_unless_said_otherwise()
    {
        var balancers = Manifests.Read(Manifests.Full).Balancers;

        Assert.Multiple(() =>
        {
            Assert.That(balancers.Select(b => b.Balancer.Value), Is.EqualTo(new[] { "front", "inner" }));
            Assert.That(balancers.Select(b => b.Backend.Value), Is.EqualTo(new[] { "shop_app", "shop" }));
            Assert.That(balancers.Select(b => b.MemberOf(HostName.Parse("web1"), SlotName.Parse("main")).Value), Is.EqualTo(new[] { "app-web1", "web1" }));
        });
    }

    [Test]
    public void The_members_of_a_balancer_that_each_host_has_need_not_tell_the_hosts_apart()
    {
        var balancer = Manifests.Read(
            "app: shop\nhosts: { web1: , web2: }\nbalancers: { edge: { agent: host, balancer: asked, member: \"{slot}\" } }").Balancers.Single();

        Assert.That(balancer.Agent, Is.Null);
        Assert.That(balancer.MemberOf(HostName.Parse("web2"), SlotName.Parse("main")).Value, Is.EqualTo("main"));
    }

    [Test]
    public void What_the_manifest_does_not_say_has_its_default()
    {
        var manifest = Manifests.Read(Manifests.Smallest);

        Assert.Multiple(() =>
        {
            Assert.That(manifest.Health, Is.EqualTo(ManifestDefaults.Health));
            Assert.That(manifest.Health.Check, Is.InstanceOf<HealthProbe.Tcp>());
            Assert.That(manifest.Strategy, Is.EqualTo(ManifestDefaults.Strategy));
            Assert.That(manifest.Migrations, Is.Null);
            Assert.That(manifest.Balancers.Single().Agent, Is.Null, "the embedded proxy, on each host");
            Assert.That(manifest.Balancers.Single().Balancer.Value, Is.EqualTo("proxy"));
            Assert.That(manifest.KeepReleases, Is.EqualTo(5));
            Assert.That(manifest.Hosts[0].Slot.Port, Is.EqualTo(4000));
        });
    }

    [Test]
    public void An_rpc_check_has_more_time_than_another_because_it_boots_a_vm()
    {
        var health = Manifests.Read(Manifests.Smallest + "health: { rpc: \"true = Shop.ready?()\" }").Health;

        Assert.That(health.Timeout, Is.EqualTo(TimeSpan.FromSeconds(5)));
    }

    [TestCase("1", 1)]
    [TestCase("\"3\"", 3)]
    public void A_batch_may_be_a_number(string batch, int hosts)
        => Assert.That(Manifests.Read($"{Manifests.Smallest}strategy: {{ batch: {batch} }}").Strategy.Batch, Is.EqualTo(new HostShare.Count(hosts)));

    [TestCase("0x10", ExpectedResult = "0x10")]
    [TestCase("010", ExpectedResult = "010")]
    [TestCase("1.50", ExpectedResult = "1.50")]
    [TestCase("no", ExpectedResult = "no")]
    [TestCase("\"\"", ExpectedResult = "")]
    [TestCase("\"null\"", ExpectedResult = "null")]
    [TestCase("2026-01-01", ExpectedResult = "2026-01-01")]
    public string An_environment_value_is_the_text_that_stands_there(string value)
        => Manifests.Read($"{Manifests.Smallest}slot: {{ env: {{ X: {value} }} }}").Hosts[0].Slot.Environment["X"];

    [Test]
    public void Every_error_is_reported_at_once_in_the_order_of_the_file()
    {
        var errors = Manifests.ErrorsOf("""
            app: Shop
            hosts:
              web1: { port: 0 }
              web2: { port: 70000 }
            healty: { tcp: true }
            releases: { keep: 1 }
            """);

        Assert.That(errors, Is.EqualTo(new[]
        {
            "decant.yml:1:6: app: app \"Shop\" has the character 'S'; allowed are a-z, 0-9, '-' and '_'",
            "decant.yml:3:17: hosts.web1.port: is 0: must be from 1 to 65535",
            "decant.yml:4:17: hosts.web2.port: is 70000: must be from 1 to 65535",
            "decant.yml:5:1: unknown key `healty`: did you mean `health`?",
            "decant.yml:6:19: releases.keep: is 1: must be from 2 to 1000",
        }));
    }

    [Test]
    public void An_invalid_manifest_is_one_error_for_the_operator_that_names_every_place()
    {
        var invalid = (ManifestResult.Invalid)ManifestReader.Read("app: shop\nhosts: { web1: { port: x, slot: A } }");

        var error = invalid.ToOperatorError("ops/decant.yml");

        Assert.Multiple(() =>
        {
            Assert.That(error.Message.Split('\n'), Has.Length.EqualTo(2).And.All.StartsWith("ops/decant.yml:2:"));
            Assert.That(error.Fields.Select(f => f.Field), Is.EqualTo(new[] { "hosts.web1.port", "hosts.web1.slot" }));
        });
    }

    [Test]
    public async Task A_file_that_is_not_there_says_how_to_make_one()
    {
        var result = await ManifestReader.ReadFileAsync(Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid()}.yml"), CancellationToken.None);

        Assert.That(((ManifestResult.Invalid)result).Errors.Single().Describe("decant.yml"), Does.Contain("does not exist").And.Contain("decant init"));
    }

    [Test]
    public async Task A_file_that_is_not_text_is_refused()
    {
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid()}.yml");
        try
        {
            await File.WriteAllBytesAsync(path, [0x61, 0xff, 0xfe]);
            var result = await ManifestReader.ReadFileAsync(path, CancellationToken.None);
            Assert.That(((ManifestResult.Invalid)result).Errors.Single().Reason, Is.EqualTo("is not UTF-8 text"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public void A_manifest_of_more_than_a_mebibyte_is_refused()
        => Assert.That(Manifests.ErrorsOf(new string('#', ManifestReader.MaxSize + 1)).Single(), Does.Contain("at most 1048576"));

    [Test]
    public void Very_deep_nesting_is_refused_instead_of_overflowing_the_stack()
        => Assert.That(Manifests.ErrorsOf($"app: {new string('[', 200_000)}").Single(), Does.Contain("levels deep"));

    [Test]
    public void A_file_of_garbage_reports_a_bounded_number_of_errors()
    {
        var text = string.Concat(Enumerable.Range(0, 5_000).Select(i => $"key{i}: {i}\n"));

        var errors = Manifests.ErrorsOf(text);

        Assert.That(errors, Has.Count.EqualTo(101));
        Assert.That(errors[^1], Does.Contain("more errors"));
    }
}
