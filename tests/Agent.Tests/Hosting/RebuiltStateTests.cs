using Decant.Agent.Hosting;
using Decant.Agent.Instances;
using Decant.Agent.State;
using Decant.Agent.Supervision;

namespace Decant.Agent.Tests.Hosting;

/// <summary>An agent whose database is lost while a real release runs.</summary>
[Parallelizable(ParallelScope.Self)]
public class RebuiltStateTests
{
    private AgentHost host = null!;

    [SetUp]
    public async Task Open() => host = await AgentHost.CreateAsync();

    [TearDown]
    public async Task Close() => await host.DisposeAsync();

    [Test]
    [CancelAfter(120_000)]
    public async Task What_runs_is_taken_over_with_its_settings_before_and_after_the_operator_accepts(CancellationToken cancellation)
    {
        var spec = host.Spec("demo-main@127.0.0.1", ("DEMO_COLOR", "blue and green"));
        var slot = await host.StartAsync("main", spec, host.One, cancellation, AgentHost.Ready);
        var other = await host.StartAsync("other", host.Spec("demo-other@127.0.0.1"), host.Two, cancellation);
        await host.StopAsync(other, cancellation);
        var process = slot.Snapshot().Process!;
        host.EndAgent();
        var file = Path.Combine(host.Configuration.DataDirectory, "agent.db");
        await File.WriteAllTextAsync(file, "garbage", cancellation);

        host.OpenAgent();
        var found = RebuiltInstances.Find(host.Configuration.DataDirectory);
        foreach (var record in found) host.Store.Save(record);
        await host.Instances.ResumeAllAsync(cancellation);

        Assert.That(host.Database.Fault!.Kind, Is.EqualTo(StateFaultKind.Damaged));
        Assert.That(await File.ReadAllTextAsync(host.Database.Fault.KeptAs!, cancellation), Is.EqualTo("garbage"));
        AssertTakenOver(spec, process);

        host.EndAgent();
        using var output = new StringWriter();
        Assert.That(RebuiltState.Accept(host.Configuration, TimeProvider.System, output), Is.Zero);
        Assert.That(output.ToString(), Does.Contain("demo/main (1.0.0-").And.Contain(", runs)").And.Contain("demo/other (2.0.0-").And.Contain(", stopped)"));
        Assert.That(StateFault.NotKnownAnyMore.Where(u => !output.ToString().Contains(u, StringComparison.Ordinal)), Is.Empty);

        host.OpenAgent();
        await host.Instances.ResumeAllAsync(cancellation);

        Assert.That(host.Database.Fault, Is.Null);
        AssertTakenOver(spec, process);
        Assert.That(Directory.GetFiles(host.Configuration.DataDirectory, "agent.db.damaged-*"), Has.Length.EqualTo(1), "still there to be looked at");
        using var again = new StringWriter();
        host.EndAgent();
        RebuiltState.Accept(host.Configuration, TimeProvider.System, again);
        Assert.That(again.ToString(), Does.Contain("nothing to accept"));
        host.OpenAgent();
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task An_accepting_that_was_cut_off_is_done_again(CancellationToken cancellation)
    {
        var slot = await host.StartAsync("main", host.Spec("demo-main@127.0.0.1"), host.One, cancellation);
        var process = slot.Snapshot().Process!;
        host.EndAgent();
        var paths = new DatabasePaths(Path.Combine(host.Configuration.DataDirectory, "agent.db"));
        await File.WriteAllTextAsync(paths.Database, "garbage", cancellation);
        // As it is when it dies before the last rename: the sums of the new database are in place, and it is not.
        Assert.That(RebuiltState.Accept(host.Configuration, TimeProvider.System, TextWriter.Null), Is.Zero);
        File.Delete(paths.Database);
        Directory.CreateDirectory(Path.Combine(host.Configuration.DataDirectory, ".accepted"));

        Assert.That(DatabaseInspection.Find(paths)!.Kind, Is.EqualTo(StateFaultKind.Lost));
        Assert.That(RebuiltState.Accept(host.Configuration, TimeProvider.System, TextWriter.Null), Is.Zero);

        host.OpenAgent();
        await host.Instances.ResumeAllAsync(cancellation);
        Assert.That(host.Database.Fault, Is.Null);
        Assert.That(host.Instances.Get(AgentHost.Key("main")).Snapshot().Process, Is.EqualTo(process));
    }

    [Test]
    public void A_slot_of_a_keeper_that_wrote_no_settings_and_whose_process_is_gone_is_left_out()
    {
        var directory = host.Directories.Of(AgentHost.Key("old"));
        File.WriteAllText(Path.Combine(directory, "instance.json"), """{"pid":1,"start_ticks":1,"keeper_pid":1,"keeper_start_ticks":1,"boot_id":"x","version":"1.0.0","digest":"DIGEST","started_at":"2026-01-01T00:00:00Z"}"""
            .Replace("DIGEST", host.One.Id.Digest.Value, StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(host.Directories.Of(AgentHost.Key("torn")), "instance.json"), "{\"pid\":");

        Assert.That(RebuiltInstances.Find(host.Configuration.DataDirectory), Is.Empty);
    }

    private void AssertTakenOver(SlotSpec spec, ProcessIdentity process)
    {
        var main = host.Instances.Get(AgentHost.Key("main")).Snapshot();
        var other = host.Instances.Get(AgentHost.Key("other")).Snapshot();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(main.Process, Is.EqualTo(process));
            Assert.That(main.Record.Wanted, Is.True);
            Assert.That(main.Record.Release, Is.EqualTo(host.One.Id));
            Assert.That(main.Record.Spec.IsSameAs(spec), Is.True);
            Assert.That((other.Process, other.Record.Wanted, other.Record.Release), Is.EqualTo(((ProcessIdentity?)null, false, host.Two.Id)));
        }
    }
}
