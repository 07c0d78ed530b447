using System.Net;
using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Tests.Configuration;

/// <summary>The balancers of agent.yml, kind by kind.</summary>
internal sealed class BalancerSettingsTests
{
    private static AgentConfigurationResult Read(string text) => AgentConfigurationReader.Read("/etc/decant/agent.yml", new StringReader(text));

    [Test]
    public void Every_kind_is_read_with_its_settings()
    {
        var result = Read("""
            agent_check: { listen: 0.0.0.0:7421, from: "10.0.0.5, 10.0.0.6" }
            balancers:
              edge: { kind: haproxy, socket: /s, members: managed, member_options: check weight 100 }
              asked: { kind: agent-check }
              cloud: { kind: command, program: /usr/local/lib/decant/my-balancer, timeout: 45s }
            """);

        var balancers = result.Configuration!.Balancers;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(balancers[BalancerName.Parse("edge")], Is.EqualTo(new BalancerSettings.Haproxy("/s", MemberManagement.Managed, "check weight 100")));
            Assert.That(balancers[BalancerName.Parse("asked")], Is.EqualTo(new BalancerSettings.AgentCheck()));
            Assert.That(
                balancers[BalancerName.Parse("cloud")], Is.EqualTo(new BalancerSettings.Command("/usr/local/lib/decant/my-balancer", TimeSpan.FromSeconds(45))));
            Assert.That(result.Configuration.AgentCheck!.Listen, Is.EqualTo(IPEndPoint.Parse("0.0.0.0:7421")));
            Assert.That(result.Configuration.AgentCheck.From, Is.EqualTo(new[] { IPAddress.Parse("10.0.0.5"), IPAddress.Parse("10.0.0.6") }));
        }
    }

    [Test]
    public void Nobody_is_answered_unless_agent_yml_says_where()
        => Assert.That(Read("agent_check: { listen: off }").Configuration!.AgentCheck, Is.Null);

    [TestCase("balancers: { asked: { kind: agent-check } }", "asked is asked by HAProxies, and they can ask nowhere: set agent_check.listen")]
    [TestCase("balancers: { a: { kind: agent-check, socket: /s } }\nagent_check: { listen: 127.0.0.1:1 }", "unknown key \"balancers.a.socket\"")]
    [TestCase("agent_check: { listen: 7421 }", "\"7421\" is not address:port")]
    [TestCase("agent_check: { listen: 127.0.0.1:7421, from: edge1 }", "\"edge1\" is not an IP address")]
    [TestCase("balancers: { cloud: { kind: command } }", "balancers.cloud.program: is missing")]
    [TestCase("balancers: { cloud: { kind: command, program: my-balancer } }", "must be an absolute path")]
    [TestCase("balancers: { cloud: { kind: command, program: /x, timeout: 1h } }", "is not within")]
    [TestCase("balancers: { edge: { kind: haproxy, socket: /s, members: all } }", "neither fixed")]
    [TestCase("balancers: { edge: { kind: haproxy, socket: /s, member_options: \"check; del server a/b\" } }", "a character that ends HAProxy's command")]
    public void What_is_wrong_is_refused_with_what_would_be_right(string text, string expected)
        => Assert.That(Read(text).Problems.Select(p => p.Reason), Has.One.Contains(expected));

    [Test]
    public void A_program_that_is_not_there_or_that_others_may_write_is_warned_of()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory["open"], "");
        File.SetUnixFileMode(directory["open"], (UnixFileMode)0b111_111_101);

        var warnings = Read($"balancers: {{ a: {{ kind: command, program: {directory["open"]} }}, b: {{ kind: command, program: {directory["none"]} }} }}").Warnings;

        Assert.That(warnings, Has.One.Contains($"chmod go-w {directory["open"]}").And.One.EndsWith($"{directory["none"]}, which drives a balancer, is not there"));
    }
}
