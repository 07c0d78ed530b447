using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;
using static Decant.Controller.Tests.Planning.Fleets;

namespace Decant.Controller.Tests.Planning;

/// <summary>Everything that may not be as it should be, one by one: where, what is, what should be, and the command.</summary>
public class DriftTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 26, 22, 0, 0, TimeSpan.Zero);
    private static readonly DeploymentId Last = DeploymentId.Parse("20261126-200000-aaaa");
    private static readonly HostName Web2 = HostName.Parse("web2");

    [Test]
    public void A_fleet_that_runs_what_was_deployed_and_serves_is_as_it_should_be()
    {
        var manifest = ManifestOf(3, balancers: 2);

        Assert.That(Drift.Find(manifest, Fleet(manifest), Known(manifest, New), Now), Is.Empty);
    }

    [Test]
    public void A_fleet_to_which_nothing_was_ever_deployed_is_as_it_should_be()
    {
        var manifest = ManifestOf(3);

        Assert.That(Drift.Find(manifest, All(manifest, Empty), KnownDeployment.None, Now), Is.Empty);
    }

    [Test]
    public void A_host_on_another_release_than_the_last_deployment_made_it_run() => Expect(
        ManifestOf(3),
        (fleet, _) => With(fleet, Web2, Slot(SlotState.Running, Old), new RunningInstance(Old, true, Main)),
        FindingKind.OtherRelease,
        $"runs {Old}",
        $"runs {New}",
        "decant repair");

    [Test]
    public void A_host_on_another_release_than_the_others_when_no_deployment_is_known()
    {
        var manifest = ManifestOf(3);
        var fleet = With(Fleet(manifest), Web2, Slot(SlotState.Running, Old), new RunningInstance(Old, true, Main));

        Assert.That(Drift.Find(manifest, fleet, KnownDeployment.None, Now).Single(), Has.Property("Kind").EqualTo(FindingKind.OtherRelease).And.Property("Host").EqualTo(Web2));
    }

    [Test]
    public void An_instance_that_is_stopped() => Expect(
        ManifestOf(3), (fleet, _) => With(fleet, Web2, Slot(SlotState.Stopped, New) with { ExitCode = 0 }), FindingKind.Stopped, "last exit code is 0", $"{New} runs", "decant repair");

    [Test]
    public void A_host_on_which_nothing_ever_ran() => Expect(ManifestOf(3), (fleet, _) => With(fleet, Web2, null), FindingKind.Empty, "nothing runs", $"{New} runs", "decant repair");

    [Test]
    public void An_instance_that_dies_again_and_again() => Expect(
        ManifestOf(3),
        (fleet, manifest) => Down(manifest, With(fleet, Web2, Slot(SlotState.BackingOff, New) with { ExitCode = 137 }, new RunningInstance(New, false, Main))),
        FindingKind.Died,
        "exit code 137",
        "healthy",
        "decant logs web2");

    [TestCase(SlotState.Unhealthy, "health check fails")]
    [TestCase(SlotState.Starting, "is starting")]
    [TestCase(SlotState.Stopping, "is being stopped")]
    public void An_instance_that_runs_and_does_not_serve(SlotState state, string says) => Expect(
        ManifestOf(3),
        (fleet, manifest) => Down(manifest, With(fleet, Web2, Slot(state, New), new RunningInstance(New, false, Main))),
        FindingKind.NotHealthy,
        says,
        "healthy",
        "decant repair");

    [Test]
    public void An_instance_with_other_settings_than_the_manifests() => Expect(
        ManifestOf(3),
        (fleet, _) => With(fleet, Web2, Slot(SlotState.Running, New), new RunningInstance(New, true, Main with { Port = 4999 })),
        FindingKind.OtherSettings,
        "other settings",
        "port 4999 → 4000",
        "decant repair");

    [TestCase(MemberStanding.Draining, "drained")]
    [TestCase(MemberStanding.Maintenance, "in maintenance")]
    public void A_member_out_of_rotation(MemberStanding standing, string says) => Expect(
        ManifestOf(3), (fleet, manifest) => Member(manifest, fleet, new ObservedMember(standing)), FindingKind.OutOfRotation, $"web2 is {says} at edge1", "in rotation", "decant undrain web2");

    [Test]
    public void Of_two_slots_the_plan_knows_which_one_to_put_back()
    {
        var manifest = TwoSlotsOf(2, "batch: 1");
        var blue = manifest.Hosts[0].Slots[0];
        var fleet = All(manifest, h => new HostObservation.Seen(new HashSet<ReleaseId> { New }, null, [new RunningInstance(New, true, blue)])
        {
            Slots = [new SeenSlot(blue.Name, SlotState.Running, New)],
        }) with
        { Balancers = Balancers(manifest, (host, _) => new ObservedMember(host == Web2 ? MemberStanding.Draining : MemberStanding.Ready), slots: 1) };

        var finding = Drift.Find(manifest, fleet, Known(manifest, New), Now).Single();

        Assert.That((finding.Kind, finding.Host, finding.Slot, finding.Mend), Is.EqualTo((FindingKind.OutOfRotation, Web2, blue.Name, "decant repair")));
    }

    [Test]
    public void A_member_with_less_than_its_share() => Expect(
        ManifestOf(3),
        (fleet, manifest) => Member(manifest, fleet, new ObservedMember(MemberStanding.Ready, Weight: 20)),
        FindingKind.Weight,
        "20 % of a full share at edge1",
        "a full share",
        "decant undrain web2");

    [Test]
    public void A_healthy_instance_that_the_balancer_calls_down() => Expect(
        ManifestOf(3), (fleet, manifest) => Member(manifest, fleet, new ObservedMember(MemberStanding.Down)), FindingKind.Down, "edge1 calls web2 down", "it is up", "balancer's own check");

    [Test]
    public void A_member_that_is_not_there() => Expect(
        ManifestOf(3), (fleet, manifest) => Member(manifest, fleet, null), FindingKind.MemberMissing, "edge1 has no member web2", "in rotation", "correct `member`");

    [Test]
    public void A_member_that_is_none_of_the_manifests_hosts()
    {
        var manifest = ManifestOf(2);
        var fleet = Fleet(manifest);
        var seen = (BalancerObservation.Seen)fleet.Balancers.Single().Value;
        var members = new Dictionary<MemberName, ObservedMember>(seen.Members) { [MemberName.Parse("web9")] = new(MemberStanding.Ready, "10.0.0.9:4000") };
        fleet = fleet with { Balancers = new Dictionary<BalancerSeat, BalancerObservation> { [fleet.Balancers.Single().Key] = seen with { Members = members } } };

        var finding = Drift.Find(manifest, fleet, Known(manifest, New), Now).Single();

        Assert.Multiple(() =>
        {
            Assert.That((finding.Kind, finding.Host?.Value, finding.IsByPlan), Is.EqualTo((FindingKind.UnexpectedMember, "edge1", false)));
            Assert.That(finding.Is, Does.Contain("web9").And.Contain("10.0.0.9:4000"));
            Assert.That(finding.Mend, Does.Contain("take web9 out at edge1"));
        });
    }

    [Test]
    public void A_member_that_gets_requests_where_nothing_of_the_app_runs()
    {
        var manifest = ManifestOf(3);
        var fleet = With(Fleet(manifest), Web2, Slot(SlotState.Stopped, New));

        var kinds = Drift.Find(manifest, fleet, Known(manifest, New), Now).Select(f => (f.Kind, f.Host));

        Assert.That(kinds, Is.EquivalentTo(new[] { (FindingKind.Stopped, Web2), (FindingKind.UnexpectedMember, (HostName?)Web2) }));
    }

    [Test]
    public void A_host_that_does_not_answer() => Expect(ManifestOf(3), (fleet, manifest) => Put(fleet, Web2, Gone(manifest.Hosts[1])), FindingKind.Unreachable, "does not answer: connection refused", "answers", "systemctl restart decantd");

    [Test]
    public void An_agent_that_refuses() => Expect(
        ManifestOf(3),
        (fleet, _) => Put(fleet, Web2, new HostObservation.Unreachable(new OperatorError(StatusCode.FailedPrecondition, "NEWER_STATE", "its state is from a newer version", "install decantd 2.0 there"))),
        FindingKind.AgentRefuses,
        "refuses: its state is from a newer version",
        "tells what is there",
        "install decantd 2.0 there");

    [Test]
    public void An_agent_that_changes_nothing() => Expect(
        ManifestOf(3),
        (fleet, _) => Put(fleet, Web2, ((HostObservation.Seen)fleet.Hosts[Web2]) with { ReadOnly = new ReadOnlyAgent("its database was damaged", "decantd --accept-rebuilt-state") }),
        FindingKind.ReadOnly,
        "its database was damaged",
        "does what it is asked",
        "decantd --accept-rebuilt-state");

    [Test]
    public void A_balancer_that_does_not_answer_is_named_once()
    {
        var manifest = ManifestOf(3);
        var fleet = Fleet(manifest);
        fleet = fleet with
        {
            Balancers = fleet.Balancers.ToDictionary(b => b.Key, _ => (BalancerObservation)new BalancerObservation.Unreachable(new OperatorError(StatusCode.Unavailable, "X", "no socket", "start haproxy"))),
        };

        var finding = Drift.Find(manifest, fleet, Known(manifest, New), Now).Single();

        Assert.That((finding.Kind, finding.Host?.Value, finding.Mend), Is.EqualTo((FindingKind.BalancerUnreachable, "edge1", "start haproxy")));
    }

    [Test]
    public void An_old_instance_beside_the_one_that_serves_that_nothing_is_going_to_stop()
        => ExpectBeside(retireAt: null, retiring: false, FindingKind.LeftRunning, "nothing is going to stop it");

    [Test]
    public void An_old_instance_that_is_warm_after_its_time() => ExpectBeside(Now.AddMinutes(-10), retiring: true, FindingKind.KeptTooLong, "was to be stopped at 2026-11-26 21:50:00Z");

    [Test]
    public void An_old_instance_that_will_be_warm_for_longer_than_keep_old() => ExpectBeside(Now.AddHours(2), retiring: true, FindingKind.KeptTooLong, "is kept warm until 2026-11-27 00:00:00Z");

    [Test]
    public void An_old_instance_that_is_warm_for_as_long_as_it_should_be_is_as_it_should_be()
    {
        var (manifest, fleet) = Beside(Now.AddMinutes(5), retiring: true);

        Assert.That(Drift.Find(manifest, fleet, Known(manifest, New), Now), Is.Empty);
    }

    [Test]
    public void A_deployment_that_did_not_come_to_its_end_is_what_there_is_to_say_of_its_hosts()
    {
        var manifest = ManifestOf(3);
        var fleet = With(Fleet(manifest), Web2, Slot(SlotState.Running, Old), new RunningInstance(Old, true, Main));
        var known = Known(manifest, Old) with
        {
            Unfinished = new UnfinishedDeployment(
                Last, "deploy shop 1.2.0 was stopped after web1/undrain/edge1", $"decant resume {Last}, or decant rollback", Runs: false, manifest.Hosts.ToDictionary(h => h.Name, _ => ((ReleaseId?)Old, (ReleaseId?)New))),
        };

        var finding = Drift.Find(manifest, fleet, known, Now).Single();

        Assert.Multiple(() =>
        {
            Assert.That((finding.Kind, finding.Host, finding.IsByPlan), Is.EqualTo((FindingKind.HalfFinished, (HostName?)null, false)));
            Assert.That(finding.Is, Does.Contain(Last.Value).And.Contain("after web1/undrain/edge1"));
            Assert.That(finding.Mend, Does.StartWith($"decant resume {Last}"));
        });
    }

    [Test]
    public void A_host_of_it_that_runs_neither_the_old_nor_the_new_release_is_named()
    {
        var manifest = ManifestOf(2);
        var other = Release("0.9.0", 'e');
        var fleet = With(Fleet(manifest), Web2, Slot(SlotState.Running, other), new RunningInstance(other, true, Main));
        var known = Known(manifest, Old) with
        {
            Unfinished = new UnfinishedDeployment(Last, "deploy", $"decant resume {Last}", Runs: false, manifest.Hosts.ToDictionary(h => h.Name, _ => ((ReleaseId?)Old, (ReleaseId?)New))),
        };

        Assert.That(Drift.Find(manifest, fleet, known, Now).Select(f => (f.Kind, f.Host)), Is.EqualTo(new[] { (FindingKind.HalfFinished, (HostName?)null), (FindingKind.OtherRelease, Web2) }));
    }

    [Test]
    public void While_a_deployment_runs_nothing_else_is_judged()
    {
        var manifest = ManifestOf(3);
        var fleet = With(Fleet(manifest), Web2, Slot(SlotState.Stopped, Old));
        var known = Known(manifest, Old) with
        {
            Unfinished = new UnfinishedDeployment(Last, "deploy shop runs", "wait", Runs: true, new Dictionary<HostName, (ReleaseId?, ReleaseId?)>()),
        };

        Assert.That(Drift.Find(manifest, Put(fleet, HostName.Parse("web3"), Gone(manifest.Hosts[2])), known, Now).Where(f => f.Kind != FindingKind.UnexpectedMember).Select(f => f.Kind), Is.EqualTo(new[] { FindingKind.HalfFinished, FindingKind.Unreachable }));
    }

    [Test]
    public void When_most_hosts_run_something_else_it_was_deployed_from_elsewhere_and_what_most_run_counts()
    {
        var manifest = ManifestOf(3);
        var fleet = With(Fleet(manifest), Web2, Slot(SlotState.Running, Old), new RunningInstance(Old, true, Main));

        var findings = Drift.Find(manifest, fleet, Known(manifest, Old), Now);

        Assert.Multiple(() =>
        {
            Assert.That(findings.Select(f => (f.Kind, f.Host)), Is.EqualTo(new[] { (FindingKind.DeployedElsewhere, (HostName?)null), (FindingKind.OtherRelease, Web2) }));
            Assert.That(findings[0].Mend, Does.StartWith("decant rollback --to 1.1.0"));
            Assert.That(findings[1].ShouldBe, Does.Contain(New.ToString()));
        });
    }

    private static SlotSettings Main => ManifestOf(1).Hosts[0].Slot;

    private static void Expect(
        DeploymentManifest manifest, Func<FleetObservation, DeploymentManifest, FleetObservation> change, FindingKind kind, string what, string shouldBe, string mend)
    {
        var finding = Drift.Find(manifest, change(Fleet(manifest), manifest), Known(manifest, New), Now).Where(f => f.Kind != FindingKind.UnexpectedMember).ToList();

        Assert.That(finding.Select(f => (f.Kind, f.Host)), Is.EqualTo(new[] { (kind, Web2) }));
        Assert.Multiple(() =>
        {
            Assert.That(finding[0].Is, Does.Contain(what));
            Assert.That(finding[0].ShouldBe, Does.Contain(shouldBe));
            Assert.That(finding[0].Mend, Does.Contain(mend));
        });
    }

    private static void ExpectBeside(DateTimeOffset? retireAt, bool retiring, FindingKind kind, string what)
    {
        var (manifest, fleet) = Beside(retireAt, retiring);

        var finding = Drift.Find(manifest, fleet, Known(manifest, New), Now).Single();

        Assert.That((finding.Kind, finding.Host, finding.Slot?.Value, finding.Mend), Is.EqualTo((kind, Web2, "green", "decant repair")));
        Assert.That(finding.Is, Does.Contain(what));
    }

    /// <summary>Two hosts serve the new release from blue; web2 still runs the old one in green, which has no traffic.</summary>
    private static (DeploymentManifest Manifest, FleetObservation Fleet) Beside(DateTimeOffset? retireAt, bool retiring)
    {
        var manifest = TwoSlotsOf(2, "batch: 1");
        var (blue, green) = (manifest.Hosts[0].Slots[0], manifest.Hosts[0].Slots[1]);
        var fleet = All(manifest, h => h.Name != Web2
            ? new HostObservation.Seen(new HashSet<ReleaseId> { New }, null, [new RunningInstance(New, true, blue)])
            : new HostObservation.Seen(new HashSet<ReleaseId> { New, Old }, null, [new RunningInstance(New, true, blue), new RunningInstance(Old, true, green, retiring)])
            {
                Slots = [new SeenSlot(blue.Name, SlotState.Running, New), new SeenSlot(green.Name, SlotState.Running, Old, retireAt)],
            }) with
        { Balancers = Balancers(manifest, (_, slot) => new ObservedMember(slot == green.Name ? MemberStanding.Draining : MemberStanding.Ready), slots: 2) };
        return (manifest, fleet);
    }

    private static SeenSlot Slot(SlotState state, ReleaseId release) => new(Main.Name, state, release);

    private static KnownDeployment Known(DeploymentManifest manifest, ReleaseId release) => new(Last, manifest.Hosts.ToDictionary(h => h.Name, _ => release));

    /// <summary>Every host serves the new release at every balancer.</summary>
    private static FleetObservation Fleet(DeploymentManifest manifest) => All(manifest, h => new HostObservation.Seen(
        new HashSet<ReleaseId> { Old, New }, Old, [new RunningInstance(New, true, h.Slot)])
    {
        Slots = [new SeenSlot(h.Slot.Name, SlotState.Running, New)],
    }) with
    { Balancers = Balancers(manifest, (_, _) => new ObservedMember(MemberStanding.Ready), slots: 1) };

    private static Dictionary<BalancerSeat, BalancerObservation> Balancers(DeploymentManifest manifest, Func<HostName, SlotName, ObservedMember> member, int slots)
        => manifest.Balancers.ToDictionary(
            b => new BalancerSeat(b.Key, null),
            b => (BalancerObservation)new BalancerObservation.Seen((from h in manifest.Hosts from s in h.Slots.Take(slots) select (h.Name, Slot: s.Name))
                .ToDictionary(m => b.MemberOf(m.Name, m.Slot), m => member(m.Name, m.Slot))));

    /// <summary>The member of web2 at the first balancer; null: it has none.</summary>
    private static FleetObservation Member(DeploymentManifest manifest, FleetObservation fleet, ObservedMember? member)
    {
        var seat = new BalancerSeat(manifest.Balancers[0].Key, null);
        var members = new Dictionary<MemberName, ObservedMember>(((BalancerObservation.Seen)fleet.Balancers[seat]).Members);
        members.Remove(MemberName.Parse("web2"));
        if (member is not null) members[MemberName.Parse("web2")] = member;
        return fleet with { Balancers = new Dictionary<BalancerSeat, BalancerObservation>(fleet.Balancers) { [seat] = new BalancerObservation.Seen(members) } };
    }

    /// <summary>The balancer's own check of web2 fails, as it does when the instance does not answer.</summary>
    private static FleetObservation Down(DeploymentManifest manifest, FleetObservation fleet) => Member(manifest, fleet, new ObservedMember(MemberStanding.Down));

    private static FleetObservation With(FleetObservation fleet, HostName host, SeenSlot? slot, RunningInstance? runs = null) => Put(fleet, host, new HostObservation.Seen(
        new HashSet<ReleaseId> { Old, New }, Old, runs is null ? [] : [runs])
    { Slots = slot is null ? [] : [slot] });

    private static FleetObservation Put(FleetObservation fleet, HostName host, HostObservation observation)
        => fleet with { Hosts = new Dictionary<HostName, HostObservation>(fleet.Hosts) { [host] = observation } };
}
