using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Decant.Agent.Balancers;
using Decant.Fuzzing.Engine;
using Decant.Names;

namespace Decant.Fuzzing.Targets;

/// <summary>Caddy's configuration: members, or a FormatException. What is read and written again is read the same.</summary>
internal sealed class CaddyConfiguration : FuzzTarget
{
    private static readonly MemberName Shop = MemberName.Parse("shop");

    private const string Handler = """
        {"@id":"shop","handler":"reverse_proxy","load_balancing":{"selection_policy":{"policy":"round_robin"}},
         "upstreams":[{"@id":"shop/web1","dial":"10.0.0.1:80"},{"@id":"shop/web2/50","dial":"10.0.0.2:80","max_requests":3},{"dial":"10.0.0.1:80"}],
         "handle_response":[
           {"match":{"status_code":[5]},"routes":[{"handle":[{"handler":"static_response"}]}]},
           {"match":{"status_code":[-1]},"routes":[
             {"handle":[{"@id":"decant/shop/draining","handler":"reverse_proxy","upstreams":[{"@id":"shop/web3","dial":"10.0.0.3:80"}]}]},
             {"handle":[{"@id":"decant/shop/maintenance","handler":"reverse_proxy","upstreams":[{"@id":"shop/web4","dial":"10.0.0.4:80"}]}]}]}]}
        """;

    public override IEnumerable<byte[]> Seeds => Bytes(
        Handler,
        """{"apps":{"http":{"servers":{"a":{"routes":[{"handle":[{"handler":"reverse_proxy","@id":"shop","upstreams":[]}]}]}}}}}""",
        """{"handler":"reverse_proxy","upstreams":null,"handle_response":[5,null,"a",{"routes":[1,{"handle":[2]}]}]}""",
        """[{"address":"10.0.0.1:80","num_requests":3,"fails":0}]""",
        "null", "{}", "[]", "5");

    public override IReadOnlyList<byte[]> Words => Bytes(
        "\"@id\":", "\"handler\":\"reverse_proxy\"", "\"upstreams\":[", "\"dial\":\"a:1\"", "\"shop/web1\"", "\"shop/web1/50\"", "\"decant/shop/draining\"", "\"decant/shop/maintenance\"", "\"handle_response\":[", "\"routes\":[", "\"handle\":[",
        "\"load_balancing\":", "\"selection_policy\":", "\"policy\":", "\"ip_hash\"", "\"dynamic_upstreams\":{}", "null", "{}", "[]", "{", "}", "[", "]", ",", ":", "\"\"", "5", "\"address\":", "\"num_requests\":");

    public override long MayAllocate(int length) => (4 << 20) + (2000L * length);

    public override string Run(byte[] input)
    {
        JsonNode? node;
        try
        {
            node = CaddyAdmin.Parse(Encoding.UTF8.GetString(input));
        }
        catch (JsonException)
        {
            // As CaddyAdmin has it: it is not Caddy that answers.
            return "no JSON";
        }

        var said = Refused(() => $"{Math.Min(3, CaddyHandler.Backends(node).Count())} ");
        if (node is not JsonObject handler) return said;
        return said + Refused(() =>
        {
            var table = CaddyHandler.Read(Shop, handler);
            Promise(table.Members.Select(m => m.Name).Distinct().Count() == table.Members.Count, "a member is there twice");
            Promise(table.Members.All(m => m.Weight is >= 1 and <= 100), "a weight is no share");
            JsonObject written;
            try
            {
                written = CaddyHandler.Write(Shop, handler, table);
            }
            catch (FormatException)
            {
                return "shares it does not know";
            }

            Promise(CaddyHandler.Read(Shop, JsonNode.Parse(written.ToJsonString())!.AsObject()).IsSame(table), "what is written is not what is read again");
            return $"{Math.Min(5, table.Members.Count)} members";
        });
    }

    private static string Refused(Func<string> read)
    {
        try
        {
            return read();
        }
        catch (FormatException refused)
        {
            Readable(refused.Message);
            return refused.Message[..Math.Min(40, refused.Message.Length)];
        }
    }
}
