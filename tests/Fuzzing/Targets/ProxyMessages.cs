using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Decant.Agent.Balancers;
using Decant.Agent.Proxy;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>What goes over the embedded proxy's socket, to it and from it: a change, a backend, or a JsonException or FormatException.</summary>
internal sealed class ProxyMessages : FuzzTarget
{
    public override IEnumerable<byte[]> Seeds => Bytes(
        """{"into":[{"member":"web1","address":"10.0.0.1:80","weight":50}],"out_of":["web2"],"maintenance":["web3"],"remove":["web4"],"min_others_up":1,"deadline_ms":1000}""",
        """{"name":"shop","members":[{"name":"web1","address":"10.0.0.1:80","state":"ready","weight":100,"in_flight":1,"long_lived":0,"requests":5,"answers":5,"answers5xx":0,"connection_errors":0,"answer_errors":0,"long_lived_closed":0,"average_ms":1.5,"last_check":"reached"}]}""",
        """{"spread_ms":1000}""", """{"into":[null],"out_of":[null],"maintenance":[],"remove":[],"min_others_up":0,"deadline_ms":0}""", """{"name":"shop","members":[null]}""", "null", "{}");

    public override IReadOnlyList<byte[]> Words => Bytes("\"into\":[", "\"out_of\":[", "\"members\":[", "\"member\":", "\"address\":", "\"state\":", "\"ready\"", "\"draining\"", "\"weight\":", "\"in_flight\":", "\"average_ms\":", "null", "{", "}", "[", "]", ",", "-1", "1e308", "\"\"");

    public override string Run(byte[] input) => Refused(() =>
    {
        var change = Read(input, ProxyJson.Default.ChangeRequest).ToChange();
        Promise(change.Into.All(m => m.Weight is >= 1 and <= 100) && change.MinOthersUp >= 0 && change.Deadline >= TimeSpan.Zero && change.Deadline <= TimeSpan.FromDays(1), "a change asks for what cannot be");
        return "a change";
    }) + Refused(() =>
    {
        foreach (var member in EmbeddedBalancer.ToBackend(Read(input, ProxyJson.Default.BackendView)).Members) HaproxyReply.LookAt(member);
        return " a backend";
    }) + Refused(() => $" {Read(input, ProxyJson.Default.CloseRequest).SpreadMs > 0}");

    private static T Read<T>(byte[] input, JsonTypeInfo<T> type)
        where T : class
        => JsonSerializer.Deserialize(input, type) ?? throw new FormatException("the request is empty");

    private static string Refused(Func<string> read)
    {
        try
        {
            return read();
        }
        catch (Exception refused) when (refused is JsonException or FormatException)
        {
            return refused.GetType().Name;
        }
    }
}
