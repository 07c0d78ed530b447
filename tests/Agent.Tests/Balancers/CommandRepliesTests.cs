using Decant.Agent.Balancers;

namespace Decant.Agent.Tests.Balancers;

internal sealed class CommandRepliesTests
{
    [TestCase("""{"members":[{"name":"web1","state":"ready","in_flight":0,"answers":-1}]}""", "negative")]
    [TestCase("""{"members":[{"name":"web1","state":"ready","in_flight":0,"errors":-1}]}""", "negative")]
    [TestCase("""{"members":[{"name":"web1","state":"ready","in_flight":0,"response_time_ms":-0.5}]}""", "negative")]
    [TestCase("""{"members":[{"name":"web1","state":"\u001b[2J","in_flight":0}]}""", "\"\uFFFD[2J\"")]
    [TestCase("{\"\u007f\":", "not the JSON")]
    public void What_no_member_can_be_is_refused_in_words_that_steer_no_terminal(string printed, string says)
        => Assert.That(
            () => CommandReplies.Backend("shop", printed), Throws.TypeOf<FormatException>().With.Message.Contains(says).And.Message.Not.Contains("\u001b").And.Message.Not.Contains("\u007f"));

    [Test]
    public void A_backend_without_a_name_is_refused()
        => Assert.That(() => CommandReplies.Backends("""{"version":"1","backends":["shop",null]}"""), Throws.TypeOf<FormatException>());
}
