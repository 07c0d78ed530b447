using CsCheck;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;
using static Decant.Controller.Tests.Planning.Fleets;

namespace Decant.Controller.Tests.Planning;

/// <summary>A fleet that is not as it should be becomes so, by plans that read like any other.</summary>
public class RepairPlanningTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 26, 22, 0, 0, TimeSpan.Zero);
    private static readonly DeploymentId Last = DeploymentId.Parse("20261126-200000-aaaa");

    private static readonly Gen<Case> Cases =
        from states in Gen.Int[0, 9].Array[2, 7]
        from isSwitch in Gen.Bool
        from batch in Gen.Int[1, 4]
        from min in Gen.Int[0, 4]
        from isKnown in Gen.Bool
        select new Case(states, isSwitch, batch, min, isKnown);

    [Test]
    public void What_was_stopped_by_hand_is_started_where_it_ran_and_the_plan_says_that_somebody_asked_for_it()
    {
        var manifest = ManifestOf(3, strategy: "batch: 1, min_in_rotation: 2");
        var played = new PlayedFleet(manifest);
        foreach (var host in manifest.Hosts.Skip(1)) played.Run(host.Name, host.Slot, New);
        var fleet = Stopped(played.Observe(), manifest.Hosts[0], New);

        var proposal = RepairPlanning.Make(manifest, fleet, Known(manifest), new RepairSupplies(Now));

        Expect(proposal.Plan, """
            repair shop: 1 of 3 hosts in 1 wave

            prepare, while what runs now serves
              preflight  web1

            wave 1 of 1
              web1: (nothing) → 1.2.0-bbbbbbbbbbbb
                why: 1.2.0-bbbbbbbbbbbb is stopped; no deployment known here left it so: it is started because you ask for it; wave 1 of 1, batch of 1
                1. drain at edge1 (at most 30s)
                2. start 1.2.0-bbbbbbbbbbbb on port 4000
                3. wait until healthy (at most 1m) and for 5s more
                4. undrain at edge1 (at most 30s)

            not touched
              web2, web3: is as it should be
            """);
        Assert.That(proposal.Left, Is.Empty);
    }

    [Test]
    public void A_host_that_lacks_the_release_gets_it_from_the_archive_and_without_one_its_command_is_said()
    {
        var manifest = ManifestOf(3);
        var newest = Release("1.3.0", 'd');
        var fleet = Observe(
            manifest,
            h => Seen(new RunningInstance(newest, true, h.Slot), null, newest),
            h => Seen(new RunningInstance(newest, true, h.Slot), null, newest),
            Serving);

        var with = RepairPlanning.Make(manifest, fleet, KnownDeployment.None, new RepairSupplies(Now, newest));
        var without = RepairPlanning.Make(manifest, fleet, KnownDeployment.None, new RepairSupplies(Now));

        Assert.Multiple(() =>
        {
            Assert.That(with.Plan.Preparation.Select(p => p.Name), Is.EqualTo(new[] { "stage", "preflight" }));
            Assert.That(with.Plan.Preparation.SelectMany(p => p.Steps).Select(s => s.Host.Value), Is.All.EqualTo("web3"));
            Assert.That(with.Plan.Waves.Single().Hosts.Single().To, Is.EqualTo(newest));
            Assert.That(without.Plan.IsEmpty, Is.True);
            Assert.That(without.Left.Single().Mend, Does.Contain($"archive of {newest}").And.Contain("--hosts web3"));
        });
    }

    [Test]
    public void Who_does_not_answer_is_named_with_what_to_do_and_the_others_are_mended()
    {
        var manifest = ManifestOf(3);
        var fleet = Observe(manifest, Updated, Gone, Empty);

        var proposal = RepairPlanning.Make(manifest, fleet, Known(manifest), new RepairSupplies(Now));

        Assert.Multiple(() =>
        {
            Assert.That(proposal.Plan.Waves.SelectMany(w => w.Hosts).Select(h => h.Host.Value), Is.EqualTo(new[] { "web3" }));
            Assert.That(proposal.Left.Select(f => (f.Kind, f.Host?.Value)), Is.EqualTo(new[] { (FindingKind.Unreachable, (string?)"web2") }));
        });
    }

    [Test]
    public void A_host_whose_agent_is_read_only_is_left_to_what_its_agent_says()
    {
        var manifest = ManifestOf(2);
        var fleet = Observe(manifest, Updated, h => ((HostObservation.Seen)Empty(h)) with { ReadOnly = new ReadOnlyAgent("its state is damaged", "accept what was rebuilt") });

        var proposal = RepairPlanning.Make(manifest, fleet, Known(manifest), new RepairSupplies(Now));

        Assert.Multiple(() =>
        {
            Assert.That(proposal.Plan.IsEmpty, Is.True);
            Assert.That(proposal.Left.Select(f => f.Kind), Is.EqualTo(new[] { FindingKind.ReadOnly, FindingKind.Empty }));
            Assert.That(proposal.Left.Select(f => f.Mend), Is.All.EqualTo("accept what was rebuilt"));
        });
    }

    [Test]
    public void A_deployment_that_did_not_come_to_its_end_is_left_to_its_own_command()
    {
        var manifest = ManifestOf(2);
        var known = Known(manifest) with
        {
            Unfinished = new UnfinishedDeployment(Last, "deploy", $"decant resume {Last}", Runs: false, new Dictionary<HostName, (ReleaseId?, ReleaseId?)> { [HostName.Parse("web1")] = (Old, New) }),
        };

        var proposal = RepairPlanning.Make(manifest, Observe(manifest, Serving, Empty), known, new RepairSupplies(Now));

        Assert.Multiple(() =>
        {
            Assert.That(proposal.Plan.IsEmpty, Is.True);
            Assert.That(proposal.Left.Select(f => f.Kind), Is.EqualTo(new[] { FindingKind.HalfFinished, FindingKind.Empty }));
            Assert.That(proposal.Left.Select(f => f.Mend), Is.All.EqualTo($"decant resume {Last}"));
        });
    }

    [Test]
    public void A_host_that_cannot_be_taken_out_stays_and_is_said()
    {
        var manifest = ManifestOf(2, strategy: "batch: 1, min_in_rotation: 2");

        var proposal = RepairPlanning.Make(manifest, Observe(manifest, Updated, Serving), Known(manifest), new RepairSupplies(Now));

        Assert.Multiple(() =>
        {
            Assert.That(proposal.Plan.IsEmpty, Is.True);
            Assert.That(proposal.Left.Single().Mend, Does.Contain("min_in_rotation"));
        });
    }

    [Test]
    public void What_was_left_running_is_stopped_at_once_and_what_serves_is_not_touched()
    {
        var manifest = TwoSlotsOf(1, "batch: 1");
        var played = new PlayedFleet(manifest);
        played.Run(manifest.Hosts[0].Name, manifest.Hosts[0].Slots[0], New);
        played.Run(manifest.Hosts[0].Name, manifest.Hosts[0].Slots[1], Old, inRotation: false);

        var plan = RepairPlanning.Make(manifest, played.Observe(), Known(manifest), new RepairSupplies(Now)).Plan;

        var steps = plan.Waves.Single().Hosts.Single().Steps;
        Assert.Multiple(() =>
        {
            Assert.That(steps.Select(s => s.Verb), Is.EqualTo(new[] { "await-healthy", "undrain", "drain", "retire" }));
            Assert.That(steps.OfType<RetireStep>().Single(), Has.Property("Keep").EqualTo(TimeSpan.Zero).And.Property("Running").EqualTo(Old));
        });
    }

    [Test]
    public void Never_fewer_are_in_rotation_than_were_asked_for_or_served_before() => Cases.Sample(
        c =>
        {
            var (manifest, played) = c.Make();
            var floor = Math.Min(manifest.Strategy.MinInRotation.AtLeastOf(manifest.Hosts.Count), played.Served);
            var fewest = played.Served;
            played.Play(c.Propose(manifest, played).Plan, _ => fewest = Math.Min(fewest, played.Served));
            return fewest >= floor;
        },
        iter: 2_000);

    [Test]
    public void In_the_end_nothing_is_left_that_a_plan_mends_but_what_was_said() => Cases.Sample(
        c =>
        {
            var (manifest, played) = c.Make();
            var proposal = c.Propose(manifest, played);
            played.Play(proposal.Plan, _ => { });
            var again = c.Propose(manifest, played);
            // A host that had to stay because too few others served may be taken out now.
            return again.Plan.IsEmpty || proposal.Left.Any(f => f.IsByPlan);
        },
        iter: 2_000);

    [Test]
    public void In_the_end_every_host_serves_what_was_deployed_but_those_that_were_said_to_stay() => Cases.Sample(
        c =>
        {
            var (manifest, played) = c.Make();
            if (!c.IsKnown) return true;
            var proposal = c.Propose(manifest, played);
            played.Play(proposal.Plan, _ => { });
            return manifest.Hosts.All(h => proposal.Left.Any(f => f.Host == h.Name) || (played.Serving.TryGetValue(h.Name, out var serves) && serves.Release == New));
        },
        iter: 2_000);

    [Test]
    public void Every_host_is_in_the_plan_or_is_said_to_be_left_alone() => Cases.Sample(
        c =>
        {
            var (manifest, played) = c.Make();
            var plan = c.Propose(manifest, played).Plan;
            var touched = plan.Waves.SelectMany(w => w.Hosts).Select(h => h.Host).ToHashSet();
            return manifest.Hosts.All(h => touched.Contains(h.Name) != plan.Untouched.Any(u => u.Host == h.Name));
        },
        iter: 1_000);

    private static KnownDeployment Known(DeploymentManifest manifest) => new(Last, manifest.Hosts.ToDictionary(h => h.Name, _ => New), IsCertain: true);

    private static FleetObservation Stopped(FleetObservation fleet, ManifestHost host, ReleaseId release) => fleet with
    {
        Hosts = new Dictionary<HostName, HostObservation>(fleet.Hosts)
        {
            [host.Name] = ((HostObservation.Seen)fleet.Hosts[host.Name]) with { Slots = [new SeenSlot(host.Slot.Name, SlotState.Stopped, release)] },
        },
    };

    private static void Expect(Plan plan, string text) => Assert.That(string.Join('\n', PlanText.Of(plan)), Is.EqualTo(text.ReplaceLineEndings("\n")));

    private sealed record Case(int[] States, bool IsSwitch, int Batch, int Min, bool IsKnown)
    {
        public override string ToString() => $"{string.Join(' ', States)}, two slots {IsSwitch}, batch {Batch}, min {Min}, known {IsKnown}";

        public RepairProposal Propose(DeploymentManifest manifest, PlayedFleet played)
            => RepairPlanning.Make(manifest, played.Observe(), IsKnown ? Known(manifest) : KnownDeployment.None, new RepairSupplies(Now));

        public (DeploymentManifest Manifest, PlayedFleet Played) Make()
        {
            var strategy = $"batch: {Batch}, min_in_rotation: {Min}";
            var manifest = IsSwitch ? TwoSlotsOf(States.Length, strategy) : Fleets.ManifestOf(States.Length, 2, strategy: strategy);
            var played = new PlayedFleet(manifest);
            foreach (var (host, state) in manifest.Hosts.Zip(States))
            {
                var (first, last) = (host.Slots[0], host.Slots[^1]);
                switch (state)
                {
                    case 0: break;
                    case 1: played.Run(host.Name, first, New); break;
                    case 2: played.Run(host.Name, last, New); break;
                    case 3: played.Run(host.Name, first, Old); break;
                    case 4: played.Run(host.Name, first, New, healthy: false); break;
                    case 5: played.Run(host.Name, first, New, inRotation: false); break;
                    case 6: played.Run(host.Name, first, Old, healthy: false, inRotation: false); break;
                    case 7:
                        played.Run(host.Name, first, New);
                        if (first != last) played.Run(host.Name, last, Old, inRotation: false);
                        break;
                    case 8:
                        played.Run(host.Name, first, New, inRotation: false);
                        if (first != last) played.Run(host.Name, last, Old);
                        break;
                    case 9: played.Run(host.Name, first with { Port = first.Port + 100 }, New); break;
                }
            }

            return (manifest, played);
        }
    }
}
