using System.Text;
using Decant.Agent.Balancers;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>What the program of a command balancer prints: a backend, or a FormatException.</summary>
internal sealed class CommandReply : FuzzTarget
{
    public override IEnumerable<byte[]> Seeds => Bytes(
        """{"members":[{"name":"web1","address":"10.0.0.1:80","state":"ready","status":"healthy","weight":50,"in_flight":3,"answers":10,"errors":1,"response_time_ms":1.5},{"name":"web2","state":"draining","in_flight":0}]}""",
        """{"version":"1","backends":["shop","blog"]}""", """{"members":[null]}""", """{"version":"1","backends":[null]}""", "null", "{}");

    public override IReadOnlyList<byte[]> Words => Bytes(
        "\"members\":[", "\"name\":\"web1\"", "\"state\":\"ready\"", "\"draining\"", "\"maintenance\"", "\"down\"", "\"in_flight\":", "\"weight\":", "\"answers\":", "\"errors\":-1", "\"response_time_ms\":", "1e308", "-0.5", "null", "{", "}", "[", "]", ",", "\"version\":", "\"backends\":");

    public override string Run(byte[] input)
    {
        var json = Encoding.UTF8.GetString(input);
        return Refused(() =>
        {
            var backends = CommandReplies.Backends(json);
            Promise(backends.Backends!.TrueForAll(b => b is not null), "a backend has no name");
            return "backends";
        }) + Refused(() =>
        {
            var backend = CommandReplies.Backend("shop", json);
            foreach (var member in backend.Members)
            {
                HaproxyReply.LookAt(member);
                Promise(member.Weight <= 100 && member.Address is not null && member.Status is not null, "a member lacks something");
            }

            return $" members {backend.CountsAnswers}";
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
