using System.Diagnostics;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Controller.State;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Tests.Execution;

public class JournalTests
{
    private static readonly DateTimeOffset At = new(2026, 11, 24, 13, 45, 2, TimeSpan.Zero);
    private readonly string directory = Directory.CreateTempSubdirectory("decant-journal-").FullName;

    private StateDirectory State => new(directory);

    [OneTimeTearDown]
    public void Clean() => Directory.Delete(directory, recursive: true);

    [Test]
    public void What_was_written_is_read_again_by_another_opening_of_the_file()
    {
        var (journal, record) = (Journal(), Record("20261124-134502-aaaa"));
        journal.Begin(record);
        var step = Step(record.Id, new StepEnd(
            StepState.Failed, "", false, new OperatorError(StatusCode.Aborted, "START_FAILED", "no", "look").With("host", "web1"), ["one", "two"]));
        journal.Put(step);
        journal.Remember(new FailedRelease(record.App, record.Release!, record.Id, step.End!.Error!, At));

        var again = Journal();

        Assert.Multiple(() =>
        {
            var found = again.Find(record.Id)!;
            Assert.That(found with { Cutovers = record.Cutovers }, Is.EqualTo(record));
            Assert.That(found.Cutovers[0].Slot!.Environment, Is.EqualTo(record.Cutovers[0].Slot!.Environment));
            var read = again.StepsOf(record.Id).Single();
            Assert.That(
                read with { End = null, Hosts = step.Hosts, TakesOut = step.TakesOut, PutsIn = step.PutsIn }, Is.EqualTo(step with { End = null }));
            Assert.That(read.Hosts, Is.EqualTo(step.Hosts));
            Assert.That(read.TakesOut, Is.EqualTo(step.TakesOut));
            Assert.That(read.PutsIn, Is.EqualTo(step.PutsIn));
            Assert.That(read.End!.Tail, Is.EqualTo(new[] { "one", "two" }));
            Assert.That(read.End.Error!.Facts["host"], Is.EqualTo("web1"));
            Assert.That(again.FailureOf(record.App, record.Release!)!.Error.Reason, Is.EqualTo("START_FAILED"));
        });
    }

    [Test]
    public void Readers_and_writers_share_the_file()
    {
        var record = Record("20261124-134502-bbbb");
        Journal().Begin(record);

        // Each has its own opening of the file, as processes do.
        Parallel.For(0, 4, worker =>
        {
            var journal = Journal();
            for (var i = 0; i < 10; i++)
            {
                journal.Put(Step(record.Id, null) with { Operation = OperationId.Parse($"{record.Id}/{worker}/{i}") });
                Assert.That(journal.Find(record.Id), Is.Not.Null);
            }
        });

        Assert.That(Journal().StepsOf(record.Id), Has.Count.EqualTo(40));
    }

    [Test]
    public void A_deployment_whose_controller_died_is_shown_as_interrupted()
    {
        using var dead = Process.Start("sleep", "60");
        var ticks = long.Parse(File.ReadAllText($"/proc/{dead.Id}/stat").Split(' ')[21]);
        var record = Record("20261124-134502-cccc") with { Holder = new ControllerProcess(dead.Id, ticks, "ann") };
        var journal = Journal();
        journal.Begin(record);

        var alive = journal.Find(record.Id)!.Status;
        dead.Kill();
        dead.WaitForExit();

        Assert.Multiple(() =>
        {
            Assert.That(alive, Is.EqualTo(DeploymentStatus.Running));
            Assert.That(journal.Find(record.Id)!.Status, Is.EqualTo(DeploymentStatus.Interrupted));
            Assert.That(new ControllerProcess(Environment.ProcessId, 1, "ann").IsAlive, Is.False, "another process with the same pid");
        });
    }

    [Test]
    public void A_journal_left_by_a_writer_that_was_killed_in_the_middle_of_a_write_has_all_that_was_written_before()
    {
        var state = new StateDirectory(Directory.CreateTempSubdirectory("decant-journal-").FullName);
        try
        {
            var record = Record("20261124-134502-dddd");
            var journal = new DeploymentJournal(JournalDatabase.At(state));
            journal.Begin(record);
            journal.Put(Step(record.Id, null) with { Operation = OperationId.Parse($"{record.Id}/before") });
            // Copied while it is open, as a kill -9 would leave it. LiteDB writes its log behind the caller's back, so this last
            // step may or may not be in it; closing the file, as every use of the journal does, waits for that.
            var left = new StateDirectory(Path.Combine(state.Path, "left"));
            Directory.CreateDirectory(left.Path);
            JournalDatabase.At(state).Use(db =>
            {
                db.GetCollection("steps").Upsert(JournalDocument.From(Step(record.Id, null)));
                foreach (var file in Directory.GetFiles(state.Path, "journal*.db")) File.Copy(file, Path.Combine(left.Path, Path.GetFileName(file)));
                return true;
            });

            var steps = new DeploymentJournal(JournalDatabase.At(left)).StepsOf(record.Id);
            Assert.That(steps.Select(s => s.Operation.Value), Has.Member($"{record.Id}/before"));
        }
        finally
        {
            Directory.Delete(state.Path, recursive: true);
        }
    }

    [Test]
    public void Steps_keep_the_order_in_which_they_began_when_the_clock_is_set_back()
    {
        var journal = Journal();
        var record = Record("20261124-134502-ffff");
        journal.Begin(record);
        StepRecord At(string verb, int minutes, int attempt = 1)
            => Step(record.Id, null) with { Operation = OperationId.Parse($"{record.Id}/{attempt}/{verb}"), Attempt = attempt, Verb = verb, BeganAt = JournalTests.At.AddMinutes(minutes) };
        var first = At("drain", 0);
        journal.Put(first);
        journal.Put(At("stop", -60));
        journal.Put(first with { EndedAt = JournalTests.At, End = new StepEnd(StepState.Succeeded, "", false, null, []) });
        Journal().Put(At("undrain", -120, attempt: 2));

        Assert.That(journal.StepsOf(record.Id).Select(s => s.Verb), Is.EqualTo(new[] { "drain", "stop", "undrain" }));
    }

    [Test]
    public void Nobody_else_may_read_the_state()
    {
        var state = StateDirectory.Open(name => name == StateDirectory.Variable ? Path.Combine(directory, "mine") : null);
        new DeploymentJournal(JournalDatabase.At(state)).Begin(Record("20261124-134502-eeee"));

        Assert.Multiple(() =>
        {
            Assert.That(File.GetUnixFileMode(state.Path), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
            Assert.That(File.GetUnixFileMode(state.Journal), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        });
    }

    [Test]
    public void Deployment_ids_sort_by_time_and_operation_ids_stay_within_what_agents_take()
    {
        var id = DeploymentIds.New(new Turns(1), new Random(1));
        var host = new ManifestHost(HostName.Parse(new string('h', 253)), AgentAddress.Parse("h:1"), "h", [Slot()]);
        var step = new StageStep(host, AppName.Parse("shop"), Simulation.New);

        Assert.Multiple(() =>
        {
            Assert.That(id.Value, Does.Match("^20261124-134502-[a-z2-9]{4}$"));
            Assert.That(DeploymentIds.Operation(id, 1, step, false, false, 0).Value, Has.Length.LessThanOrEqualTo(128));
            Assert.That(DeploymentIds.Operation(id, 1, step, false, false, 0), Is.Not.EqualTo(DeploymentIds.Operation(id, 2, step, false, false, 0)));
        });
    }

    private DeploymentJournal Journal() => new(JournalDatabase.At(State));

    private static SlotSettings Slot()
        => new(SlotName.Parse("main"), 4000, "", new Dictionary<string, string> { ["A"] = "b" }, true);

    private static StepRecord Step(DeploymentId deployment, StepEnd? end) => new(
        deployment, "web1/start", HostName.Parse("web1"), "start", "start shop", OperationId.Parse($"{deployment}/1/web1/start"), 1, false,
        [HostName.Parse("web1")], [], [new MemberSeat(HostName.Parse("edge"), HostName.Parse("web1"), SlotName.Parse("main"))], At, end is null ? null : At, end);

    private static DeploymentRecord Record(string id) => new(
        DeploymentId.Parse(id),
        AppName.Parse("shop"),
        PlanIntent.Deploy,
        Simulation.New,
        new ManifestSource("decant.yml", "app: shop\n"),
        "/tmp/shop.tar.gz",
        "plan",
        DeploymentStatus.Running,
        1,
        false,
        At,
        null,
        "",
        "",
        ControllerProcess.Current(),
        [new PlannedCutover(HostName.Parse("web1"), Simulation.Old, Simulation.New, Slot())]);
}
