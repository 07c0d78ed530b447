using Decant.Controller.Fleet;

namespace Decant.Controller.Tests.Fleet;

public class AgentAddressTests
{
    [TestCase("web1", "web1:7420", "web1", "web1", 7420)]
    [TestCase("10.0.0.1:7421", "10.0.0.1:7421", "10.0.0.1", "10.0.0.1", 7421)]
    [TestCase("[::1]:7421", "[::1]:7421", "::1", "[::1]", 7421)]
    [TestCase("web1=127.0.0.1:7421", "web1=127.0.0.1:7421", "web1", "127.0.0.1", 7421)]
    [TestCase("http://127.0.0.1:7421", "http://127.0.0.1:7421", null, "127.0.0.1", 7421)]
    [TestCase("http://localhost", "http://localhost:7420", null, "localhost", 7420)]
    [TestCase("http://[::1]:1", "http://[::1]:1", null, "[::1]", 1)]
    [TestCase("unix:/run/x.sock", "unix:/run/x.sock", null, "", 0)]
    public void An_address_says_where_an_agent_is_and_which_name_its_certificate_must_have(string text, string value, string? certified, string host, int port)
    {
        var address = AgentAddress.Parse(text);

        Assert.That((address.Value, address.CertifiedName, address.Host, address.Port), Is.EqualTo((value, certified, host, port)));
    }

    [TestCase("http://10.0.0.1")]
    [TestCase("http://127.0.0.1.example.com")]
    [TestCase("http://web1:7420")]
    public void Without_tls_there_is_loopback_only(string text)
    {
        Assert.That(AgentAddress.TryParse(text, out _, out var reason), Is.False);
        Assert.That(reason, Does.Contain("without TLS, which is for 127.0.0.1 only"));
    }
}
