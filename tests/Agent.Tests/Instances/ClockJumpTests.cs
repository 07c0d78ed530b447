using Decant.Agent.Health;
using Decant.Agent.Hosting;
using Decant.Agent.Instances;
using Decant.Agent.Leases;
using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.Agent.Supervision;
using Decant.Agent.Tests.Balancers;
using Decant.Agent.Tests.State;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging.Abstractions;

namespace Decant.Agent.Tests.Instances;

/// <summary>Somebody sets the clock on the wall, by days in either direction: nothing takes longer or shorter for it.</summary>
[Parallelizable(ParallelScope.Self)]
public class ClockJumpTests
{
    private readonly JumpingTime time = new();

    [TestCase(-3)]
    [TestCase(3)]
    [CancelAfter(60_000)]
    public async Task The_wait_before_a_restart_and_the_time_to_become_healthy_are_measured(int days, CancellationToken cancellation)
    {
        await using var host = await AgentHost.CreateAsync();
        var supervisor = new ScriptedSupervisor(host.Directories.Log(AgentHost.Key("main")), time);
        var check = AgentHost.Check(new HealthProbe.Http("/health", null, null, null), rise: 1, fall: 1000) with { StartInterval = TimeSpan.FromDays(10), Interval = TimeSpan.FromDays(10) };
        var wanted = new InstanceRecord(
            AgentHost.Key("main"), true, host.One.Id, host.Spec("demo-main@127.0.0.1") with { Distribution = false }, check, null, 0, null);
        using var slot = new InstanceSlot(
            new InstanceParts(supervisor, host.Releases, host.Script, host.Epmd, host.Prober, host.Store, new CrashDumps(host.Directories), new(), time),
            wanted with { Wanted = false },
            NullLogger<InstanceSlot>.Instance);
        await slot.StartAsync(wanted, host.Report, cancellation);

        // It runs for a second each time, whatever the wall says: no run is long enough to begin with the shortest wait again.
        for (var (death, wait) = (1, 1); death <= 4; death++, wait *= 2)
        {
            time.Real.Advance(TimeSpan.FromSeconds(1));
            time.Jump += TimeSpan.FromDays(days);
            Assert.That(slot.Snapshot().State, Is.EqualTo(InstanceState.Starting), "for a minute");
            var run = slot.Run!;
            supervisor.Started[^1].Die(1, time.GetUtcNow());
            await run.Ended.WaitAsync(cancellation);
            await Eventually.TrueAsync(() => slot.Snapshot().RestartAt is not null, "it backs off");
            Assert.That(slot.Snapshot().RestartAt, Is.EqualTo(time.GetUtcNow() + TimeSpan.FromSeconds(wait)), $"death {death}");
            await Eventually.TrueAsync(
                () =>
                {
                    if (slot.Run is null) time.Real.Advance(TimeSpan.FromSeconds(wait));
                    return slot.Run is not null;
                },
                "it is started again");
        }
    }

    [Test]
    public void What_is_kept_warm_is_never_kept_longer_than_was_asked_for()
    {
        var asked = time.GetUtcNow();
        var retirement = new Retirement(asked + TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(10), new StopDeadlines(TimeSpan.Zero, TimeSpan.Zero));

        Assert.That(retirement.Left(asked + TimeSpan.FromMinutes(4)), Is.EqualTo(TimeSpan.FromMinutes(6)));
        Assert.That(retirement.Left(asked - TimeSpan.FromDays(300)), Is.EqualTo(TimeSpan.FromMinutes(10)), "the clock was set back");
        Assert.That(retirement.Left(asked + TimeSpan.FromDays(300)), Is.EqualTo(TimeSpan.Zero));
    }

    [Test]
    public void What_was_begun_last_is_pruned_last()
    {
        using var directory = new TemporaryDirectory();
        using (var first = AgentDatabase.Open(directory["agent.db"])) Write(new OperationJournal(first, keep: 20), 0, 30);
        // From here on the wall says that it is a year earlier, and then every operation that is begun that it is earlier still.
        time.Jump = TimeSpan.FromDays(-365);
        using var database = AgentDatabase.Open(directory["agent.db"]);
        var journal = new OperationJournal(database, keep: 20);
        Write(journal, 30, 30);

        Assert.That(Enumerable.Range(45, 15).Where(n => journal.Find(JournalWriter.Record(n).Id) is null), Is.Empty);
        Assert.That(Enumerable.Range(0, 30).Where(n => journal.Find(JournalWriter.Record(n).Id) is not null), Is.Empty);
    }

    [Test]
    public async Task The_journal_is_looked_at_again_however_far_back_the_clock_was_set()
    {
        using var directory = new TemporaryDirectory();
        using var database = AgentDatabase.Open(directory["agent.db"]);
        var journal = new OperationJournal(database, keep: 20);
        await using var runner = new OperationRunner(journal, new LeaseStore(database).Open(time), time, NullLogger<OperationRunner>.Instance);
        var health = new JournalHealth(runner, database, journal, time);
        await health.CheckHealthAsync(new HealthCheckContext());
        var beat = Beat();
        time.Jump = TimeSpan.FromDays(-365);
        time.Real.Advance(TimeSpan.FromSeconds(6));

        Assert.That((await health.CheckHealthAsync(new HealthCheckContext())).Status, Is.EqualTo(HealthStatus.Healthy));
        Assert.That(Beat(), Is.Not.EqualTo(beat));

        long Beat() => database.Collection("beats").FindById("alive")!["at"].AsInt64;
    }

    [Test]
    public void The_age_of_a_process_is_the_kernels()
    {
        var self = ProcessIdentity.Of(Environment.ProcessId)!;
        using var process = System.Diagnostics.Process.GetCurrentProcess();

        Assert.That(self.Age.TotalSeconds, Is.EqualTo((DateTime.Now - process.StartTime).TotalSeconds).Within(1.5));
    }

    private void Write(OperationJournal journal, int first, int count)
    {
        for (var number = first; number < first + count; number++)
        {
            time.Jump -= TimeSpan.FromMinutes(1);
            var record = JournalWriter.Record(number) with { StartedAt = time.GetUtcNow(), EndedAt = time.GetUtcNow() };
            journal.Begin(record with { State = OperationState.Running });
            journal.End(record, []);
        }
    }
}
