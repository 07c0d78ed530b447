using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Controller.Tests.Manifest;
using Decant.Names;
using static Decant.Controller.Tests.Planning.Fleets;

namespace Decant.Controller.Tests.Planning;

public class DeploymentPlanningTests
{
    [Test]
    public void Hosts_that_serve_nothing_go_first_in_waves_of_their_own()
    {
        var manifest = ManifestOf(5, batch: "2");

        var plan = Deploy(manifest, Serving, Empty, Serving, Ailing, Serving);

        Assert.That(plan.Waves.Select(w => string.Join(' ', w.Hosts.Select(h => h.Host))), Is.EqualTo(new[] { "web2 web4", "web1 web3", "web5" }));
        Assert.That(plan.Waves[0].Hosts.Select(h => h.Why), Has.All.StartsWith("first: ").And.All.EndsWith("; wave 1 of 3, batch of 2"));
    }

    [Test]
    public void A_host_that_is_healthy_but_out_of_rotation_counts_as_one_that_serves_nothing()
    {
        var manifest = ManifestOf(3, strategy: "batch: 3, min_in_rotation: 1");
        var fleet = All(manifest, Serving) with { Balancers = Members(manifest, @out: "web3") };

        var plan = Made(Planner.MakeDeployment(manifest, fleet, New));

        Assert.That(plan.Waves.Select(w => string.Join(' ', w.Hosts.Select(h => h.Host))), Is.EqualTo(new[] { "web3", "web1 web2" }));
    }

    [Test]
    public void Of_two_instances_the_one_that_has_the_traffic_stays_and_not_one_that_was_put_in_and_never_came_up()
    {
        var manifest = TwoSlotsOf(1, "type: rolling");
        var edge = manifest.Balancers[0];
        var (host, blue, green) = (manifest.Hosts[0], manifest.Hosts[0].Slots[0], manifest.Hosts[0].Slots[1]);
        var both = new HostObservation.Seen(
            new HashSet<ReleaseId> { Old, New }, null, [new RunningInstance(Old, Healthy: true, blue), new RunningInstance(Old, Healthy: true, green)]);
        var fleet = All(manifest, _ => both) with
        {
            Balancers = new Dictionary<BalancerSeat, BalancerObservation>
            {
                [BalancerSeat.Of(edge, host.Name)] = new BalancerObservation.Seen(new Dictionary<MemberName, ObservedMember>
                {
                    [edge.MemberOf(host.Name, blue.Name)] = new(MemberStanding.Down),
                    [edge.MemberOf(host.Name, green.Name)] = new(MemberStanding.Ready),
                }),
            },
        };

        var plan = Made(Planner.MakeDeployment(manifest, fleet, New));

        var started = plan.Waves.SelectMany(w => w.Hosts).SelectMany(h => h.Steps).OfType<StartStep>().Single();
        Assert.That(started.At.Slot.Name, Is.EqualTo(blue.Name));
    }

    [Test]
    public void Hosts_out_of_rotation_are_not_reckoned_among_those_that_must_stay()
    {
        var manifest = ManifestOf(3, strategy: "batch: 1, min_in_rotation: 2");
        var only = new DeploymentScope(new HashSet<Decant.Controller.Fleet.HostName> { manifest.Hosts[0].Name }, null);

        var result = Planner.MakeDeployment(manifest, All(manifest, Serving) with { Balancers = Members(manifest, @out: "web3") }, New, only);

        Assert.That(((PlanResult.Refused)result).Refusals.Single().Error.Reason, Is.EqualTo("MIN_IN_ROTATION"));
    }

    [Test]
    public void Where_no_two_releases_may_run_at_once_a_part_of_the_hosts_is_not_deployed_to()
    {
        var manifest = ManifestOf(2, strategy: "type: recreate");
        var only = new DeploymentScope(new HashSet<Decant.Controller.Fleet.HostName> { manifest.Hosts[0].Name }, null);

        var refused = Planner.MakeDeployment(manifest, All(manifest, Serving), New, only);
        var made = Planner.MakeDeployment(manifest, Observe(manifest, Serving, Empty), New, only);

        Assert.Multiple(() =>
        {
            Assert.That(((PlanResult.Refused)refused).Refusals.Select(r => (r.Host.Value, r.Error.Reason)), Is.EqualTo(new[] { ("web2", "RELEASES_AT_ONCE") }));
            Assert.That(made, Is.TypeOf<PlanResult.Made>());
        });
    }

    [TestCase(1, "web2")]
    [TestCase(0, "web1")]
    public void Canaries_are_hosts_that_serve_unless_only_idle_ones_can_be_spared(int min, string canary)
    {
        var manifest = ManifestOf(2, strategy: $"type: canary, min_in_rotation: {min}, canary: {{ hosts: 1, bake: 1m }}");

        var plan = Deploy(manifest, Serving, Empty);

        Assert.That(plan.Waves[0].Gate!.Canaries.Select(c => c.Name.Value), Is.EqualTo(new[] { canary }));
    }

    [Test]
    public void A_canary_that_can_no_longer_be_spared_when_the_deployment_goes_on_gives_way_to_one_that_can()
    {
        var manifest = ManifestOf(3, strategy: "type: canary, min_in_rotation: 2, canary: { hosts: 1, bake: 1m }");
        var chosen = new DeploymentScope(null, new CanaryProgress([manifest.Hosts[0].Name], Promoted: false));

        var plan = Made(Planner.MakeDeployment(manifest, Observe(manifest, Serving, Serving, Ailing), New, chosen));

        Assert.Multiple(() =>
        {
            Assert.That(plan.Waves[0].Gate!.Canaries.Select(c => c.Name.Value), Is.EqualTo(new[] { "web3" }));
            Assert.That(plan.Waves.SelectMany(w => w.Hosts).Select(h => h.Host.Value), Is.EqualTo(new[] { "web3", "web1", "web2" }));
        });
    }

    [Test]
    public void Canaries_that_were_cut_over_stay_canaries()
    {
        var manifest = ManifestOf(3, strategy: "type: canary, min_in_rotation: 2, canary: { hosts: 2, bake: 1m }");
        var chosen = new DeploymentScope(null, new CanaryProgress([manifest.Hosts[0].Name, manifest.Hosts[1].Name], Promoted: false));

        var plan = Made(Planner.MakeDeployment(manifest, Observe(manifest, Updated, Serving, Ailing), New, chosen));

        Assert.That(plan.Waves.Single(w => w.Gate is not null).Gate!.Canaries.Select(c => c.Name.Value), Is.EqualTo(new[] { "web1" }));
    }

    [Test]
    public void A_host_that_runs_the_release_is_left_alone()
    {
        var plan = Deploy(ManifestOf(2), Updated, Serving);

        Assert.Multiple(() =>
        {
            Assert.That(plan.Untouched.Single().Why, Is.EqualTo($"runs {New} already"));
            Assert.That(plan.Preparation.SelectMany(p => p.Steps).Select(s => s.Host.Value), Has.All.EqualTo("web2"));
            Assert.That(plan.Completion, Has.Count.EqualTo(2), "both have releases to prune");
        });
    }

    [Test]
    public void Deploying_what_runs_everywhere_is_a_plan_of_nothing()
    {
        var plan = Deploy(ManifestOf(2, more: "migrations: { run: x }"), Updated, Updated);

        Assert.That((plan.IsEmpty, plan.Preparation.Count, plan.Completion.Count, plan.Untouched.Count), Is.EqualTo((true, 0, 0, 2)));
    }

    [Test]
    public void Other_settings_are_a_reason_to_cut_over_and_are_named()
    {
        var manifest = ManifestOf(1, more: "slot: { env: { A: x, B: new, D: same }, node: n@h, port: 4001 }");
        var before = manifest.Hosts[0].Slot with
        {
            Port = 4000,
            Node = "",
            Environment = new Dictionary<string, string> { ["B"] = "old secret", ["C"] = "x", ["D"] = "same" },
        };

        var plan = Deploy(manifest, _ => Seen(new RunningInstance(New, Healthy: true, before)));

        Assert.That(plan.Waves.Single().Hosts.Single().Why, Does.StartWith(
            $"runs {New} already with other settings: port 4000 → 4001, node shop-main@127.0.0.1 → n@h, env A added, env B changed, env C removed;"));
    }

    [Test]
    public void The_node_name_that_the_agent_gives_by_itself_is_no_other_setting()
    {
        var manifest = ManifestOf(1);
        var before = manifest.Hosts[0].Slot with { Node = "shop-main@127.0.0.1" };

        Assert.That(Deploy(manifest, _ => Seen(new RunningInstance(New, Healthy: true, before))).IsEmpty);
    }

    [Test]
    public void A_host_that_runs_the_release_but_ails_is_cut_over_again()
        => Assert.That(Deploy(ManifestOf(1), UpdatedAndAiling).Waves.Single().Hosts.Single().Why, Does.StartWith($"runs {New} already but is not healthy"));

    [Test]
    public void The_migration_runs_on_the_host_that_the_manifest_names()
        => Assert.That(MigrationHost(ManifestOf(3, more: "migrations: { run: x, host: web2 }"), Serving, Serving, Serving), Is.EqualTo("web2"));

    [Test]
    public void The_migration_runs_on_the_first_touched_host_when_the_named_one_is_left_alone()
        => Assert.That(MigrationHost(ManifestOf(3, more: "migrations: { run: x, host: web1 }"), Updated, Serving, Serving), Is.EqualTo("web2"));

    [TestCase("1", 3, ExpectedResult = "1 1 1")]
    [TestCase("2", 3, ExpectedResult = "1 1 1")]
    [TestCase("3", 3, ExpectedResult = "0 0 0")]
    [TestCase("2", 6, ExpectedResult = "2 2 2 2 2 2")]
    [TestCase("1", 1, ExpectedResult = "0")]
    public string Others_are_up_before_a_host_is_drained_where_there_are_others(string batch, int hosts)
        => string.Join(' ', Drains(Deploy(ManifestOf(hosts, batch: batch), Enumerable.Repeat(Serving, hosts).ToArray())).Select(d => d.MinOthersUp));

    [Test]
    public void A_first_deployment_requires_others_of_no_host_because_nothing_is_taken_away()
        => Assert.That(Drains(Deploy(ManifestOf(3), Empty, Empty, Empty)).Select(d => d.MinOthersUp), Is.EqualTo(new[] { 0, 0, 0 }));

    [Test]
    public void A_balancer_that_each_host_has_is_not_asked_for_others_up_since_it_knows_that_host_alone()
    {
        var manifest = Manifest.Manifests.Read("app: shop\nhosts: { web1: , web2: , web3: }\nbalancers: { edge: { agent: host } }");

        Assert.That(Drains(Deploy(manifest, Serving, Serving, Serving)).Select(d => d.MinOthersUp), Is.EqualTo(new[] { 0, 0, 0 }));
    }

    [Test]
    public void The_only_host_that_serves_says_that_requests_will_fail()
        => Assert.That(Deploy(ManifestOf(1), Serving).Waves.Single().Hosts.Single().Why, Does.EndWith("requests fail from its stop until it is healthy again"));

    [Test]
    public void A_host_that_serves_alone_waits_for_those_that_were_empty_and_then_has_others()
    {
        var plan = Deploy(ManifestOf(2), Serving, Empty);

        Assert.That(plan.Waves.SelectMany(w => w.Hosts).Select(h => h.Host.Value), Is.EqualTo(new[] { "web2", "web1" }));
        Assert.That(Drains(plan).Select(d => d.MinOthersUp), Is.EqualTo(new[] { 0, 1 }));
    }

    [TestCase("25%", 40, ExpectedResult = 10)]
    [TestCase("33%", 10, ExpectedResult = 3)]
    [TestCase("1%", 40, ExpectedResult = 1)]
    [TestCase("100%", 7, ExpectedResult = 7)]
    [TestCase("50", 7, ExpectedResult = 7)]
    public int A_share_is_rounded_down_but_is_at_least_one_host(string batch, int hosts)
        => Deploy(ManifestOf(hosts, batch: batch), Enumerable.Repeat(Serving, hosts).ToArray()).Waves[0].Hosts.Count;

    [Test]
    public void Every_host_that_cannot_be_planned_is_named_with_what_to_do()
    {
        var manifest = ManifestOf(4);
        var fleet = Observe(manifest, Gone, Serving, Gone);

        var refused = (PlanResult.Refused)Planner.MakeDeployment(manifest, fleet, New);

        Assert.Multiple(() =>
        {
            Assert.That(refused.Refusals.Select(r => (r.Host.Value, r.Error.Reason)), Is.EqualTo(new[]
            {
                ("web1", "HOST_UNREACHABLE"), ("web3", "HOST_UNREACHABLE"), ("web4", "HOST_NOT_OBSERVED"),
            }));
            Assert.That(refused.Refusals[0].Error.Message, Is.EqualTo("web1: its agent at web1:7420 does not answer: connection refused"));
            Assert.That(refused.Refusals.Select(r => r.Error.WhatNext), Has.All.Not.Empty);
        });
    }

    [Test]
    public void What_serves_at_one_balancer_only_gives_its_traffic_back_before_it_is_replaced()
    {
        var manifest = Manifests.Read("""
            app: shop
            hosts: { web1: }
            balancers: { edge1: , edge2: }
            slots: { blue: { port: 4001 }, green: { port: 4002 } }
            strategy: { type: rolling }
            """);
        var host = manifest.Hosts[0];
        var newest = Release("1.3.0", 'c');
        // The move from blue to green succeeded at edge1; edge2 did not answer.
        BalancerObservation At(ManifestBalancer balancer, string isIn) => new BalancerObservation.Seen(host.Slots.ToDictionary(
            s => balancer.MemberOf(host.Name, s.Name), s => new ObservedMember(s.Name.Value == isIn ? MemberStanding.Ready : MemberStanding.Draining)));
        var fleet = All(manifest, _ => Seen(null, null, Old, New, newest) with
        {
            Instances = [new RunningInstance(Old, Healthy: true, host.Slots[0]), new RunningInstance(New, Healthy: true, host.Slots[1])],
        }) with
        {
            Balancers = new Dictionary<BalancerSeat, BalancerObservation>
            {
                [new(manifest.Balancers[0].Key, null)] = At(manifest.Balancers[0], "green"),
                [new(manifest.Balancers[1].Key, null)] = At(manifest.Balancers[1], "blue"),
            },
        };

        var steps = Made(Planner.MakeDeployment(manifest, fleet, newest)).Waves.SelectMany(w => w.Hosts).SelectMany(h => h.Steps).Select(s => s.Key).ToList();

        Assert.That(steps.Take(4), Is.EqualTo(new[]
        {
            "web1/move/edge1/blue",
            "web1/drain/edge1/green",
            "web1/drain/edge2/green",
            "web1/stop/green",
        }), string.Join('\n', steps));
    }

    private static Plan Deploy(DeploymentManifest manifest, params Func<ManifestHost, HostObservation>[] states)
        => Made(Planner.MakeDeployment(manifest, Observe(manifest, states), New));

    private static string? MigrationHost(DeploymentManifest manifest, params Func<ManifestHost, HostObservation>[] states)
        => Deploy(manifest, states).Preparation.SelectMany(p => p.Steps).OfType<MigrateStep>().Single().Host.Value;

    private static IEnumerable<DrainStep> Drains(Plan plan) => plan.Waves.SelectMany(w => w.Hosts).SelectMany(h => h.Steps).OfType<DrainStep>();
}
