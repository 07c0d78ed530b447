using System.Text.Json;
using Decant.EndToEnd.Harness;
using Decant.V1;

namespace Decant.EndToEnd;

/// <summary>Who did what is on record, and no secret with it.</summary>
public class AuditTests
{
    [Test]
    [CancelAfter(60_000)]
    public async Task Every_change_and_every_refusal_is_on_record_with_who_from_where_and_how_it_ended(CancellationToken cancellation)
    {
        const string Canary = "canary-7f3a9c";
        await using var agent = await TlsAgent.StartAsync(cancellation);
        using var alice = agent.Connect(agent.Ca.Operator("alice", ["deployer:demo"]));
        using var bob = agent.Connect(agent.Ca.Operator("bob", ["observer"]));
        var retire = new RetireRequest { Operation = AgentClient.NewOperation("op-1", "d-1"), App = "demo", Slot = "main" };
        await AgentClient.ResultAsync(new Instances.InstancesClient(alice).Retire(retire, cancellationToken: cancellation), cancellation);
        var start = new StartRequest
        {
            Operation = AgentClient.NewOperation("op-2"),
            App = "demo",
            Slot = "main",
            Release = new ReleaseRef { Version = "9.9.9", Digest = new string('a', 64) },
            Spec = new SlotSpec { Port = 4000, Env = { ["SECRET"] = Canary } },
        };
        await AgentClient.ErrorAsync(() => AgentClient.ResultAsync(new Instances.InstancesClient(alice).Start(start, cancellationToken: cancellation), cancellation));
        var evaluate = new EvaluateRequest { Operation = AgentClient.NewOperation("op-3"), App = "demo", Slot = "main", Expression = $"\"{Canary}\"" };
        await AgentClient.ErrorAsync(() => AgentClient.ResultAsync(new Instances.InstancesClient(alice).Evaluate(evaluate, cancellationToken: cancellation), cancellation));
        await AgentClient.ErrorAsync(() => AgentClient.ResultAsync(new Instances.InstancesClient(bob).Retire(retire, cancellationToken: cancellation), cancellation));
        await new Hosts.HostsClient(bob).GetStatusAsync(new GetStatusRequest(), cancellationToken: cancellation);

        await agent.RestartAsync(cancellation);
        await File.WriteAllTextAsync(
            Path.Combine(agent.Directory, "decant.yml"), $"app: demo\nhosts:\n  web1: {{ agent: \"127.0.0.1:{agent.Port}\", port: 4000 }}\nbalancers: {{}}\n", cancellation);
        var identity = agent.Identity("bob", agent.Ca.Operator("bob", ["observer"]));
        var text = await CommandResult.RunAsync(Programs.Decant, ["audit", "--identity", identity], cancellation, workingDirectory: agent.Directory);
        var json = await CommandResult.RunAsync(Programs.Decant, ["audit", "--since", "1h", "--json", "--identity", identity], cancellation, workingDirectory: agent.Directory);
        var later = await CommandResult.RunAsync(Programs.Decant, ["audit", "--since", "2999-01-01", "--identity", identity], cancellation, workingDirectory: agent.Directory);

        var lines = json.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        string Of(int entry, string name) => lines[entry].GetProperty(name).GetString()!;
        Assert.Multiple(() =>
        {
            Assert.That((text.ExitCode, json.ExitCode, later.ExitCode), Is.EqualTo((0, 0, 0)), text.Everything + json.Everything + later.Everything);
            Assert.That(lines.Select(e => $"{e.GetProperty("event")} {e.GetProperty("call")} {e.GetProperty("outcome")}".Trim()), Is.EqualTo(new[]
            {
                "began Instances/Retire", "ended Instances/Retire OK", "began Instances/Start", "ended Instances/Start RELEASE_NOT_FOUND", "began Instances/Evaluate",
                $"ended Instances/Evaluate {Of(5, "outcome")}", "refused Instances/Retire ROLE_MISSING",
            }));
            Assert.That((Of(0, "caller"), Of(0, "app"), Of(0, "operation_id"), Of(0, "deployment_id")), Is.EqualTo(("CN=alice", "demo", "op-1", "d-1")));
            Assert.That(Of(0, "from"), Does.StartWith("127.0.0.1:"));
            Assert.That(Of(0, "serial"), Does.Match("^[0-9a-f]{24,32}$"));
            Assert.That(Of(6, "caller"), Is.EqualTo("CN=bob"));
            Assert.That(text.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(4));
            Assert.That(text.Output, Does.Match(@"web1: CN=alice from 127\.0\.0\.1:\d+: Instances/Retire demo d-1: OK").And.Contain("Instances/Retire demo d-1: REFUSED ROLE_MISSING"));
            Assert.That(later.Output, Is.Empty);
        });

        var files = Directory.EnumerateFiles(Path.Combine(agent.Directory, "data", "audit")).ToList();
        Assert.That(files, Is.Not.Empty);
        Assert.That(files.Select(File.ReadAllText), Has.None.Contains(Canary));
        Assert.That(agent.Agent.Output, Does.Not.Contain(Canary));
    }
}
