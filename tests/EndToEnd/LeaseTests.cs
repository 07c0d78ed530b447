using System.Text.Json;
using Decant.EndToEnd.Harness;
using Decant.V1;

namespace Decant.EndToEnd;

/// <summary>Two controllers on two machines and one app: at most one changes it, whatever becomes of the other.</summary>
public class LeaseTests() : TwoMachines(minHealthy: "3s")
{
    private const int NeedsAttention = 4;

    [Test]
    [CancelAfter(120_000)]
    public async Task A_second_deployment_is_told_who_holds_the_lease_since_when_at_which_step_and_touches_nothing(CancellationToken cancellation)
    {
        var archive = await DemoRelease.BuildAsync("1.1.0", Fleet.Directory, cancellation);
        var other = await DemoRelease.BuildAsync("1.1.1", Fleet.Directory, cancellation);
        await using var first = await InTheMiddleAsync(archive, cancellation);
        var id = DeploymentEvents.In(first.Output).Deployment;

        var second = await Fleet.DecantElsewhereAsync(cancellation, "deploy", other);
        var drain = await Fleet.DecantElsewhereAsync(cancellation, "drain", "web2");
        var look = await Fleet.DecantElsewhereAsync(cancellation, "rpc", "web2", "IO.puts(\"a look\")");
        var status = await Fleet.DecantElsewhereAsync(cancellation, "status");
        var json = await Fleet.DecantElsewhereAsync(cancellation, "status", "--json");
        var end = await first.WaitForExitAsync(cancellation);

        Assert.That(end, Is.Zero, $"{first.Output}\n{Fleet.AgentLogs()}");
        using (Assert.EnterMultipleScope())
        {
            foreach (var refused in (CommandResult[])[second, drain])
            {
                Assert.That(refused.ExitCode, Is.EqualTo(Refused), refused.Everything);
                Assert.That(refused.Errors, Does.Match($@"demo is being changed by \S+ on \S+ \(pid {first.Pid}\), deploying demo 1\.1\.0, deployment {id}, since \d{{4}}-\S+ \S+ UTC, at step ""wait until demo 1\.1\.0"), refused.Everything);
                Assert.That(refused.Errors, Does.Contain("decant unlock --reason"));
            }

            Assert.That(look.Output, Is.EqualTo("a look\n"), look.Everything);
            Assert.That(status.Output, Does.Match($@"lease on web1, web2: \S+ on \S+ \(pid {first.Pid}\), deploying demo 1\.1\.0, deployment {id}, since .*, at step ""wait until"), status.Everything);
            var held = json.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement).Where(l => l.TryGetProperty("lease", out _)).ToList();
            Assert.That(held.Select(l => (l.GetProperty("host").GetString(), l.GetProperty("held").GetBoolean())), Is.EqualTo(new[] { ("web1", true), ("web2", true) }));
            Assert.That(held[0].GetProperty("holder").GetProperty("deployment").GetString(), Is.EqualTo(id));
        }

        Assert.That(await Fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { "1.1.0", "1.1.0" }));
        Assert.That(await HeldAsync(cancellation), Is.Empty, "given back at the end");
        var staged = await Fleet.DecantElsewhereAsync(cancellation, "releases");
        Assert.That(staged.Output, Does.Not.Contain("1.1.1"), "the second one touched nothing");
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task The_lease_of_a_controller_that_was_killed_expires_and_the_next_deployment_goes_on(CancellationToken cancellation)
    {
        var archive = await DemoRelease.BuildAsync("1.2.0", Fleet.Directory, cancellation);
        var other = await DemoRelease.BuildAsync("1.2.1", Fleet.Directory, cancellation);
        await using var killed = await InTheMiddleAsync(archive, cancellation);
        await killed.KillAsync();

        var early = await Fleet.DecantElsewhereAsync(cancellation, "deploy", other);
        await Eventually.TrueAsync(async () => (await HeldAsync(cancellation)).Count == 0, "the leases expire", cancellation);
        var next = await Fleet.DecantElsewhereAsync(cancellation, "deploy", other);

        Assert.That(early.ExitCode, Is.EqualTo(Refused), early.Everything);
        Assert.That(early.Errors, Does.Contain($"pid {killed.Pid}").And.Match(@"the lease ends in \d+ s"), early.Everything);
        Assert.That(next.ExitCode, Is.Zero, $"{next.Everything}\n{Fleet.AgentLogs()}");
        Assert.That(await Fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { "1.2.1", "1.2.1" }));
    }

    [Test]
    [CancelAfter(120_000)]
    public async Task On_its_own_machine_a_killed_controller_is_seen_to_be_dead_and_its_lease_is_taken_away_at_once_on_record(CancellationToken cancellation)
    {
        var archive = await DemoRelease.BuildAsync("1.3.0", Fleet.Directory, cancellation);
        await using var killed = await InTheMiddleAsync(archive, cancellation);
        await killed.KillAsync();

        var resumed = await Fleet.DecantAsync(cancellation, "resume", DeploymentEvents.In(killed.Output).Deployment);
        var status = await Fleet.DecantAsync(cancellation, "status");

        Assert.That(resumed.ExitCode, Is.Zero, $"{resumed.Everything}\n{Fleet.AgentLogs()}");
        Assert.That(status.Output, Does.Match($@"unlocked on web1, web2 .* ago by .*: its controller, pid {killed.Pid}, is dead; resuming demo 1\.3\.0; it was held by .* \(pid {killed.Pid}\)"), status.Everything);
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task A_controller_that_was_suspended_and_wakes_up_after_another_deployment_does_no_further_harm(CancellationToken cancellation)
    {
        var archive = await DemoRelease.BuildAsync("1.4.0", Fleet.Directory, cancellation);
        var other = await DemoRelease.BuildAsync("1.4.1", Fleet.Directory, cancellation);
        await using var suspended = await InTheMiddleAsync(archive, cancellation);
        var id = DeploymentEvents.In(suspended.Output).Deployment;
        await suspended.SignalAsync("STOP");
        await Eventually.TrueAsync(async () => (await HeldAsync(cancellation)).Count == 0, "the leases expire", cancellation);
        var between = await Fleet.DecantElsewhereAsync(cancellation, "deploy", other, "--json");
        var before = await OperationsOfAsync(id, cancellation);

        await suspended.SignalAsync("CONT");
        var end = await suspended.WaitForExitAsync(cancellation);

        Assert.That(between.ExitCode, Is.Zero, $"{between.Everything}\n{Fleet.AgentLogs()}");
        var ended = DeploymentEvents.In(suspended.Output).End;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(end, Is.EqualTo(NeedsAttention), suspended.Output);
            Assert.That(ended.GetProperty("status").GetString(), Is.EqualTo("lease_lost"));
            Assert.That(
                ended.GetProperty("message").GetString(),
                Does.StartWith("Stopped at once: the lease of demo").And.Contain($"deployment {DeploymentEvents.In(between.Output).Deployment}").And.Contain("Nothing was changed or undone since."));
            Assert.That(ended.GetProperty("what_next").GetString(), Does.Contain($"decant resume {id}"));
            Assert.That(await OperationsOfAsync(id, cancellation), Is.EqualTo(before), "no agent began anything for it any more");
            Assert.That(await Fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { "1.4.1", "1.4.1" }));
        }

        var members = await Fleet.Balancer.AskAsync("show servers state demo", cancellation);
        Assert.That(
            members.Split('\n').Where(l => l.Contains(" web", StringComparison.Ordinal)).Select(l => (l.Split(' ')[5], l.Split(' ')[6])),
            Is.EqualTo(new[] { ("2", "0"), ("2", "0") }),
            "every member is up, and nobody took it out");
    }

    [Test]
    [CancelAfter(180_000)]
    public async Task Unlock_takes_the_lease_away_with_a_reason_on_record_and_the_deployment_stops(CancellationToken cancellation)
    {
        var archive = await DemoRelease.BuildAsync("1.5.0", Fleet.Directory, cancellation);
        await using var first = await InTheMiddleAsync(archive, cancellation);
        var id = DeploymentEvents.In(first.Output).Deployment;

        var unconfirmed = await Fleet.DecantElsewhereAsync(cancellation, "unlock", "--reason", "its laptop is closed");
        var unlocked = await Fleet.DecantElsewhereAsync(cancellation, "unlock", "--reason", "its laptop is closed", "--yes");
        var end = await first.WaitForExitAsync(cancellation);
        var nobody = await Fleet.DecantElsewhereAsync(cancellation, "unlock", "--reason", "to be sure", "--yes");
        var status = await Fleet.DecantElsewhereAsync(cancellation, "status");
        var shown = await Fleet.DecantAsync(cancellation, "show", id);
        var journaled = await JournaledAsync(cancellation);
        var resumed = await Fleet.DecantAsync(cancellation, "resume", id);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(unconfirmed.ExitCode, Is.EqualTo(2), unconfirmed.Everything);
            Assert.That(unconfirmed.Errors, Does.Contain("--yes"));
            Assert.That(unlocked.ExitCode, Is.Zero, unlocked.Everything);
            Assert.That(unlocked.Output, Does.Match($@"web1: held by .* \(pid {first.Pid}\), deploying demo 1\.5\.0, deployment {id}").And.Contain("web2: unlocked").And.Contain("balancer edge: unlocked"));
            Assert.That(nobody.Output, Does.Contain("nobody holds a lease of demo"), nobody.Everything);
            Assert.That(end, Is.EqualTo(NeedsAttention), first.Output);
            Assert.That(DeploymentEvents.In(first.Output).End.GetProperty("message").GetString(), Does.Contain("took it away").And.Contain("its laptop is closed"));
            Assert.That(shown.Output, Does.Contain("lease lost").And.Contain("its laptop is closed"), shown.Everything);
            Assert.That(status.Output, Does.Match($@"unlocked on web1, web2 .* ago by .*: its laptop is closed; it was held by .* \(pid {first.Pid}\)"), status.Everything);
            Assert.That(journaled.Result.Unlock.Reason, Is.EqualTo("its laptop is closed"));
            Assert.That(journaled.Result.Unlock.FormerHolder, Does.Contain($"deployment {id}"));
            Assert.That(resumed.ExitCode, Is.Zero, $"{resumed.Everything}\n{Fleet.AgentLogs()}");
        }

        Assert.That(await Fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { "1.5.0", "1.5.0" }));
    }

    /// <summary>Hosts on which somebody holds a lease.</summary>
    private async Task<List<string>> HeldAsync(CancellationToken cancellation)
    {
        var held = new List<string>();
        foreach (var host in Fleet.Hosts.Append(Fleet.BalancerHost))
        {
            var known = await new Leases.LeasesClient(host.Channel).ListLeasesAsync(new ListLeasesRequest(), cancellationToken: cancellation);
            if (known.Leases.Any(l => l.Remaining is not null)) held.Add(host.Name);
        }

        return held;
    }

    /// <summary>All that agents have done for a deployment, by operation.</summary>
    private async Task<List<string>> OperationsOfAsync(string deployment, CancellationToken cancellation)
    {
        var all = new List<string>();
        foreach (var host in Fleet.Hosts.Append(Fleet.BalancerHost))
        {
            var listed = await new Operations.OperationsClient(host.Channel).ListOperationsAsync(
                new ListOperationsRequest { DeploymentId = deployment }, cancellationToken: cancellation);
            all.AddRange(listed.Operations.Select(o => $"{host.Name}: {o.Ref.Id}").Order(StringComparer.Ordinal));
        }

        return all;
    }

    private async Task<Operation> JournaledAsync(CancellationToken cancellation)
        => (await new Operations.OperationsClient(Fleet.Hosts[0].Channel).ListOperationsAsync(
            new ListOperationsRequest { App = "demo" }, cancellationToken: cancellation)).Operations.First(o => o.Kind == OperationKind.Unlock);
}
