using Decant.Controller.Fleet;
using Decant.Controller.Planning;
using static Decant.Controller.Tests.Planning.Fleets;

namespace Decant.Controller.Tests.Planning;

public class RollbackPlanningTests
{
    [Test]
    public void Where_no_two_releases_may_run_at_once_hosts_do_not_go_back_to_different_ones()
    {
        var manifest = ManifestOf(2, strategy: "type: recreate");
        var fleet = Observe(manifest, h => Seen(new RunningInstance(New, Healthy: true, h.Slot), lastGood: Old), h => Seen(new RunningInstance(New, Healthy: true, h.Slot)));

        var refusal = ((PlanResult.Refused)Planner.MakeRollbackToLastGood(manifest, fleet)).Refusals.Single();

        Assert.That((refusal.Host.Value, refusal.Error.Reason), Is.EqualTo(("web2", "RELEASES_AT_ONCE")));
    }

    [Test]
    public void Hosts_go_back_in_the_order_given_without_staging_or_migrating()
    {
        var manifest = ManifestOf(3, more: "migrations: { run: x }");

        var plan = Made(Planner.MakeRollback(manifest, Observe(manifest, Updated, Empty, Serving), [Back("web2"), Back("web1")]));

        Assert.Multiple(() =>
        {
            Assert.That(plan.Waves.Select(w => w.Hosts.Single().Host.Value), Is.EqualTo(new[] { "web2", "web1" }));
            Assert.That((plan.Intent, plan.Release, plan.Preparation.Count, plan.Completion.Count), Is.EqualTo((PlanIntent.Rollback, Old, 0, 0)));
            Assert.That(plan.Untouched.Single(), Is.EqualTo(new UntouchedHost(HostName.Parse("web3"), "was not changed")));
            Assert.That(Verbs(plan, "web1"), Is.EqualTo("drain stop start await-healthy undrain"));
        });
    }

    [Test]
    public void A_rollback_takes_no_more_hosts_out_at_once_than_min_in_rotation_allows()
    {
        var manifest = ManifestOf(4, strategy: "batch: 4, min_in_rotation: 3");

        var plan = Made(Planner.MakeRollbackToLastGood(manifest, All(manifest, h => Seen(new RunningInstance(New, Healthy: true, h.Slot), lastGood: Old))));

        Assert.That(plan.Waves.Select(w => w.Hosts.Single().Host.Value), Is.EqualTo(new[] { "web1", "web2", "web3", "web4" }));
    }

    [Test]
    public void Hosts_that_can_only_be_spared_below_min_in_rotation_stay_as_they_are_in_a_rollback_and_the_others_go_back()
    {
        var manifest = ManifestOf(3, strategy: "min_in_rotation: 2");
        var fleet = Observe(manifest, Updated, UpdatedAndAiling, Gone);

        var partial = (PlanResult.Partial)Planner.MakeRollback(manifest, fleet, [Back("web1")]);
        var both = Made(Planner.MakeRollback(manifest, Observe(manifest, Updated, UpdatedAndAiling, Updated), [Back("web2"), Back("web1")]));

        Assert.Multiple(() =>
        {
            Assert.That(partial.Refusals.Select(r => (r.Host.Value, r.Error.Reason)), Is.EqualTo(new[] { ("web1", "MIN_IN_ROTATION") }));
            Assert.That(both.Waves.Select(w => w.Hosts.Single().Host.Value), Is.EqualTo(new[] { "web2", "web1" }));
        });
    }

    [Test]
    public void A_host_that_is_to_be_empty_again_is_emptied_when_all_others_are_back()
    {
        var manifest = ManifestOf(3, strategy: "batch: 3, min_in_rotation: 2");

        var plan = Made(Planner.MakeRollback(manifest, All(manifest, Updated), [Back("web3") with { To = null }, Back("web2"), Back("web1")]));
        var partial = (PlanResult.Partial)Planner.MakeRollback(
            manifest, Observe(manifest, Updated, Updated, UpdatedAndAiling), [Back("web2") with { To = null }, Back("web1")]);

        Assert.Multiple(() =>
        {
            Assert.That(plan.Waves.Select(w => string.Join(' ', w.Hosts.Select(h => h.Host))), Is.EqualTo(new[] { "web2", "web1", "web3" }));
            Assert.That(partial.Refusals.Select(r => r.Host.Value), Is.EqualTo(new[] { "web1", "web2" }), "one more would be missed");
        });
    }

    [Test]
    public void Where_no_two_releases_may_run_at_once_no_host_goes_back_while_another_cannot()
    {
        var manifest = ManifestOf(2, strategy: "type: recreate");

        var result = Planner.MakeRollback(manifest, Observe(manifest, Updated, Gone), [Back("web2"), Back("web1")]);

        Assert.That(((PlanResult.Refused)result).Refusals.Select(r => (r.Host.Value, r.Error.Reason)), Is.EqualTo(new[] { ("web2", "HOST_UNREACHABLE") }));
    }

    [Test]
    public void A_host_that_was_empty_is_emptied_and_stays_out_of_the_balancers()
    {
        var manifest = ManifestOf(1, balancers: 2);

        var plan = Made(Planner.MakeRollback(manifest, Observe(manifest, Updated), [new HostRollback(HostName.Parse("web1"), null, "it failed")]));

        Assert.That(Verbs(plan, "web1"), Is.EqualTo("drain drain stop"));
    }

    [Test]
    public void A_host_that_failed_before_it_was_stopped_is_only_put_back()
    {
        var manifest = ManifestOf(2);

        var plan = Made(Planner.MakeRollback(manifest, Observe(manifest, Serving, Serving), [Back("web1")]));

        Assert.That(Verbs(plan, "web1"), Is.EqualTo("await-healthy undrain"));
    }

    [Test]
    public void A_host_goes_back_to_the_settings_it_had()
    {
        var manifest = ManifestOf(1);
        var before = manifest.Hosts[0].Slot with { Port = 4999 };

        var plan = Made(Planner.MakeRollback(manifest, Observe(manifest, Updated), [Back("web1") with { To = New, Slot = before }]));

        Assert.That(plan.Waves.Single().Hosts.Single().Steps.OfType<StartStep>().Single().At.Slot, Is.EqualTo(before));
    }

    [Test]
    public void A_host_that_cannot_go_back_does_not_keep_the_others_from_it()
    {
        var manifest = ManifestOf(4);
        var fleet = Observe(manifest, Updated, Gone, _ => Seen(null, null, New), Serving);

        var partial = (PlanResult.Partial)Planner.MakeRollback(
            manifest, fleet, [Back("web3"), Back("web2"), Back("web1"), Back("web9"), Back("web1")]);

        Assert.Multiple(() =>
        {
            Assert.That(partial.Plan.Waves.Select(w => w.Hosts.Single().Host.Value), Is.EqualTo(new[] { "web1" }));
            Assert.That(partial.Refusals.Select(r => (r.Host.Value, r.Error.Reason)), Is.EqualTo(new[]
            {
                ("web3", "RELEASE_NOT_STAGED"), ("web2", "HOST_UNREACHABLE"), ("web9", "HOST_NOT_IN_MANIFEST"), ("web1", "HOST_NAMED_TWICE"),
            }));
        });
    }

    [Test]
    public void When_no_host_can_go_back_the_rollback_is_refused()
    {
        var manifest = ManifestOf(1);

        Assert.That(Planner.MakeRollback(manifest, Observe(manifest, Gone), [Back("web1")]), Is.InstanceOf<PlanResult.Refused>());
    }

    [Test]
    public void At_the_operators_wish_each_host_goes_to_its_last_good_release()
    {
        var manifest = ManifestOf(3);
        var older = Release("1.0.0", 'c');
        var fleet = Observe(
            manifest,
            h => Seen(new RunningInstance(New, true, h.Slot), Old),
            h => Seen(new RunningInstance(New, true, h.Slot)),
            h => Seen(new RunningInstance(Old, false, h.Slot), older, older, Old));

        var plan = Made(Planner.MakeRollbackToLastGood(manifest, fleet));

        Assert.Multiple(() =>
        {
            Assert.That(plan.Waves.SelectMany(w => w.Hosts).Select(h => (h.Host.Value, h.To)), Is.EqualTo(new[] { ("web3", older), ("web1", Old) }));
            Assert.That(plan.Release, Is.Null, "they go to different ones");
            Assert.That(plan.Untouched.Single().Why, Is.EqualTo("has no earlier good release to go back to"));
        });
    }

    [Test]
    public void Going_back_is_refused_as_a_whole_when_a_host_is_gone_or_has_its_last_good_release_no_more()
    {
        var manifest = ManifestOf(2);
        var fleet = Observe(manifest, h => Seen(new RunningInstance(New, true, h.Slot), Old, New), Gone);

        var refused = (PlanResult.Refused)Planner.MakeRollbackToLastGood(manifest, fleet);

        Assert.That(refused.Refusals.Select(r => (r.Host.Value, r.Error.Reason)), Is.EqualTo(new[]
        {
            ("web1", "RELEASE_NOT_STAGED"), ("web2", "HOST_UNREACHABLE"),
        }));
    }

    private static HostRollback Back(string host) => new(HostName.Parse(host), Old, "web2 failed at start");

    private static string Verbs(Plan plan, string host)
        => string.Join(' ', plan.Waves.SelectMany(w => w.Hosts).Single(h => h.Host.Value == host).Steps.Select(s => s.Verb));
}
