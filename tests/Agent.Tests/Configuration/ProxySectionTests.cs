using System.Net;
using Decant.Agent.Configuration;
using Decant.Names;

namespace Decant.Agent.Tests.Configuration;

internal sealed class ProxySectionTests
{
    private static AgentConfigurationResult Read(string text) => AgentConfigurationReader.Read("/etc/decant/agent.yml", new StringReader(text));

    [TestCase("proxy: {}")]
    [TestCase("proxy:")]
    public void An_empty_section_is_a_proxy_with_every_default_and_a_balancer(string text)
    {
        var configuration = Read(text).Configuration!;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(configuration.Proxy!.Listen, Is.EqualTo(new[] { new IPEndPoint(IPAddress.Any, 8080) }));
            Assert.That(configuration.Proxy.Backends, Is.Empty);
            Assert.That(configuration.Balancers[BalancerName.Parse("proxy")], Is.EqualTo(new BalancerSettings.Embedded("/run/decant/proxy.sock")));
            Assert.That(Read("host: a").Configuration!.Proxy, Is.Null);
        }
    }

    [Test]
    public void Every_value_is_read()
    {
        var configuration = Read("""
            proxy:
              listen: [ "0.0.0.0:80", "[::]:80" ]
              socket: /tmp/p.sock
              hold: 1s
              idle_timeout: 1m
              stop_deadline: 10s
              trust_forwarded: true
              backends:
                shop: { hosts: [Shop.example, www.shop.example], check: /health, check_every: 2s }
                blog: { hosts: blog.example }
            balancers:
              other: { kind: embedded, socket: /tmp/other.sock }
            """).Configuration!;

        using (Assert.EnterMultipleScope())
        {
            var proxy = configuration.Proxy!;
            Assert.That(proxy.Listen, Is.EqualTo(new[] { new IPEndPoint(IPAddress.Any, 80), new IPEndPoint(IPAddress.IPv6Any, 80) }));
            Assert.That((proxy.Socket, proxy.TrustForwarded), Is.EqualTo(("/tmp/p.sock", true)));
            Assert.That((proxy.Hold, proxy.IdleTimeout, proxy.StopDeadline), Is.EqualTo((TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(10))));
            Assert.That(proxy.Backends.Select(b => $"{b.Name} {string.Join(',', b.Hosts)} {b.CheckPath} {b.CheckEvery.TotalSeconds}"), Is.EqualTo(new[]
            {
                "shop shop.example,www.shop.example /health 2", "blog blog.example  1",
            }));
            Assert.That(configuration.Balancers.Values, Is.EquivalentTo(new[]
            {
                new BalancerSettings.Embedded("/tmp/other.sock"), new BalancerSettings.Embedded("/tmp/p.sock"),
            }));
        }
    }

    [TestCase("proxy: { listen: 8080 }", "is not address:port")]
    [TestCase("proxy: { listen: [] }", "is empty")]
    [TestCase("proxy: { socket: off }", "cannot be off")]
    [TestCase("proxy: { backends: { shop: { check: health } } }", "is not a path")]
    [TestCase("proxy: { backends: { a: { hosts: [x.y] }, b: { hosts: [x.y] } } }", "belongs to another backend")]
    [TestCase("proxy: { liste: 0.0.0.0:80 }", "did you mean \"listen\"")]
    [TestCase("proxy: {}\nbalancers: { proxy: { kind: haproxy, socket: /a } }", "another name")]
    public void What_is_wrong_is_said(string text, string reason) => Assert.That(Read(text).Problems.Single().ToString(), Does.Contain(reason));
}
