using Decant.Agent.Elixir;

namespace Decant.Agent.Tests.Elixir;

public class NodeNameTests
{
    [TestCase("shop@127.0.0.1", "name")]
    [TestCase("shop@web1.example.com", "name")]
    [TestCase("shop@::1", "name")]
    [TestCase("shop@web1", "sname")]
    [TestCase("shop-blue_2@localhost", "sname")]
    public void A_host_with_a_dot_or_a_colon_makes_it_a_long_name(string text, string distribution)
    {
        var node = NodeName.Parse(text);

        Assert.That((node.ToString(), node.Distribution), Is.EqualTo((text, distribution)));
    }

    [TestCase(null)]
    [TestCase("")]
    [TestCase("shop")]
    [TestCase("shop@")]
    [TestCase("@web1")]
    [TestCase("a@b@c")]
    [TestCase("sh op@web1")]
    [TestCase("shop@web1 -eval x")]
    [TestCase("$(id)@web1")]
    [TestCase("shöp@web1")]
    public void What_is_no_node_name_is_refused_in_a_sentence(string? text)
    {
        Assert.That(NodeName.TryParse(text, out _, out var reason), Is.False);
        Assert.That(reason, Does.StartWith("node \""));
    }

    [Test]
    public void A_name_longer_than_an_atom_may_be_is_refused()
        => Assert.That(() => NodeName.Parse(new string('a', 255) + "@b"), Throws.TypeOf<FormatException>().With.Message.Contains("255"));
}
