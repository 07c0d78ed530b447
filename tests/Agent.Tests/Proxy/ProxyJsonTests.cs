using System.Text.Json;
using Decant.Agent.Balancers;
using Decant.Agent.Proxy;

namespace Decant.Agent.Tests.Proxy;

internal sealed class ProxyJsonTests
{
    private const string Member = """{"name":"web1","address":"10.0.0.1:80","state":"ready","weight":100,"in_flight":1,"long_lived":0,"requests":5,"answers":5,"answers5xx":0,"connection_errors":0,"answer_errors":0,"long_lived_closed":0,"average_ms":1.5,"last_check":"reached"}""";

    [TestCase("""{"into":[null],"out_of":[],"maintenance":[],"remove":[],"min_others_up":0,"deadline_ms":0}""", TestName = "A_change_into_null_is_none")]
    [TestCase("""{"into":[],"out_of":[null],"maintenance":[],"remove":[],"min_others_up":0,"deadline_ms":0}""", TestName = "A_change_out_of_null_is_none")]
    [TestCase("""{"into":[],"out_of":[],"maintenance":[],"remove":[],"min_others_up":-1,"deadline_ms":0}""", TestName = "A_change_that_wants_fewer_than_no_others_up_is_none")]
    public void A_change_that_is_none_is_refused(string json)
        => Assert.That(() => JsonSerializer.Deserialize(json, ProxyJson.Default.ChangeRequest)!.ToChange(), Throws.TypeOf<FormatException>());

    [TestCase("null", TestName = "A_proxy_that_tells_of_a_member_that_is_null_is_not_believed")]
    [TestCase("ready", "of a later version", TestName = "A_proxy_that_tells_of_a_state_of_a_later_version_is_not_believed")]
    [TestCase("\"in_flight\":1", "\"in_flight\":-1", TestName = "A_proxy_that_tells_of_fewer_than_no_requests_is_not_believed")]
    public void A_backend_that_is_none_is_refused(string what, string? instead = null)
    {
        var member = instead is null ? what : Member.Replace(what, instead, StringComparison.Ordinal);
        var view = JsonSerializer.Deserialize($$"""{"name":"shop","members":[{{member}}]}""", ProxyJson.Default.BackendView)!;

        Assert.That(() => EmbeddedBalancer.ToBackend(view), Throws.TypeOf<FormatException>());
    }

    [TestCase("""{"backends":[null]}""", "a backend is null")]
    [TestCase("""{"backends":[{"name":"shop","members":[null]}]}""", "a member is null")]
    [TestCase("""{"backends":[{"name":"shop","members":[]},{"name":"shop","members":[]}]}""", "shop is there twice")]
    [TestCase("""{"backends":[{"name":"shop","members":[{"name":"a","address":"a:1","weight":1,"state":"ready"},{"name":"a","address":"b:1","weight":1,"state":"ready"}]}]}""", "a is there twice")]
    [TestCase("""{"backends":[{"name":"shop","members":[{"name":"a","address":"a:1","weight":1,"state":"down"}]}]}""", "no member is wanted down")]
    public void A_state_file_that_is_none_says_why(string content, string says)
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory["state.json"], content);

        Assert.That(() => new ProxyStateFile(directory["state.json"]).Read(), Throws.TypeOf<InvalidDataException>().With.Message.Contains(says));
    }
}
