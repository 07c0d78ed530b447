using Decant.EndToEnd.Harness;
using Decant.V1;

namespace Decant.EndToEnd;

public class LostStateTests
{
    [Test]
    [CancelAfter(240_000)]
    public async Task An_agent_whose_database_is_damaged_serves_on_says_so_refuses_and_works_again_when_the_operator_has_accepted(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(1, cancellation);
        await fleet.DeployedAsync("1.0.0", cancellation);
        var host = fleet.Hosts[0];
        var client = new AgentClient(host);
        var before = await StatusAsync(client, cancellation);
        await host.KillAgentAsync();
        Damage(Path.Combine(host.Data, "agent.db"));

        await host.StartAgentAsync(cancellation);
        var damaged = await StatusAsync(client, cancellation);
        var table = await fleet.DecantAsync(cancellation, "status");
        var json = await fleet.DecantAsync(cancellation, "status", "--json");
        var second = await DemoRelease.BuildAsync("2.0.0", fleet.Directory, cancellation);
        var deploy = await fleet.DecantAsync(cancellation, "deploy", second);
        var running = await CommandResult.RunAsync(Programs.Decantd, ["--accept-rebuilt-state", "--config", host.ConfigurationFile], cancellation);

        Assert.Multiple(async () =>
        {
            Assert.That(host.Agent.Output, Does.Contain("state cannot be used"));
            Assert.That(damaged.ReadOnly.Reason, Does.Contain("is not as it was written"));
            Assert.That(File.Exists(damaged.ReadOnly.KeptAs), Is.True);
            Assert.That(damaged.Instances.Single().Pid, Is.EqualTo(before.Instances.Single().Pid), "the release was not touched");
            Assert.That(damaged.Instances.Single().Release, Is.EqualTo(before.Instances.Single().Release));
            Assert.That(damaged.Releases, Has.Count.EqualTo(1));
            Assert.That(string.Join(' ', table.Output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), Does.Contain("READ-ONLY:"));
            Assert.That(json.Output, Does.Contain("\"read_only\":{\"reason\":\""));
            Assert.That(deploy.ExitCode, Is.Not.Zero);
            Assert.That(deploy.Everything, Does.Contain("STATE_READ_ONLY").Or.Contain("cannot be used and it changes nothing"));
            Assert.That(running.ExitCode, Is.EqualTo(1), "the agent runs");
            Assert.That(await fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { "1.0.0" }));
        });

        await host.StopAgentAsync(cancellation);
        var accepted = await CommandResult.RunAsync(Programs.Decantd, ["--accept-rebuilt-state", "--config", host.ConfigurationFile], cancellation);
        await host.StartAgentAsync(cancellation);
        var after = await StatusAsync(client, cancellation);
        var again = await fleet.DecantAsync(cancellation, "deploy", second);

        Assert.That(accepted.ExitCode, Is.Zero, accepted.Everything);
        Assert.That(accepted.Output, Does.Contain("rebuilt: demo/main (1.0.0-").And.Contain("not known any more:"));
        Assert.That(after.ReadOnly, Is.Null);
        Assert.That(after.Instances.Single().Pid, Is.EqualTo(before.Instances.Single().Pid));
        Assert.That(again.ExitCode, Is.Zero, $"{again.Everything}\n{fleet.AgentLogs()}");
        Assert.That(await fleet.VersionsAsync(cancellation), Is.EqualTo(new[] { "2.0.0" }));
    }

    /// <summary>One byte in the middle is another.</summary>
    private static void Damage(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = file.Length / 2;
        var value = file.ReadByte();
        file.Position--;
        file.WriteByte((byte)~value);
    }

    private static async Task<HostStatus> StatusAsync(AgentClient client, CancellationToken cancellation)
        => await client.Hosts.GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);
}
