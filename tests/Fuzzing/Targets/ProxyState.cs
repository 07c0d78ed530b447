using Decant.Agent.Balancers;
using Decant.Agent.Proxy;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>The embedded proxy's state file: backends, or an InvalidDataException. What is read and written again is read the same.</summary>
internal sealed class ProxyState : FuzzTarget
{
    private Room room = null!;
    private ProxyStateFile file = null!;

    public override IEnumerable<byte[]> Seeds => Bytes(
        """{"backends":[{"name":"shop","members":[{"name":"web1","address":"10.0.0.1:80","weight":50,"state":"ready"},{"name":"web2","address":"[::1]:80","weight":100,"state":"draining"}]}]}""",
        """{"backends":[null]}""", """{"backends":[{"name":"shop","members":[null]}]}""", "null", "{}", "");

    public override IReadOnlyList<byte[]> Words => Bytes("\"backends\":[", "\"members\":[", "\"name\":", "\"address\":", "\"weight\":", "\"state\":", "\"ready\"", "\"maintenance\"", "\"down\"", "null", "{", "}", "[", "]", ",", "-1", "\"\"");

    public override void Open()
    {
        room = new Room();
        file = new ProxyStateFile(room["state.json"]);
    }

    public override void Close() => room.Dispose();

    public override string Run(byte[] input)
    {
        File.WriteAllBytes(room["state.json"], input);
        IReadOnlyList<SavedBackend> backends;
        try
        {
            backends = file.Read();
        }
        catch (InvalidDataException refused)
        {
            return refused.Message[^Math.Min(60, refused.Message.Length)..];
        }

        Promise(backends.SelectMany(b => b.Members).All(m => m is { Weight: >= 1 and <= 100, State: not MemberState.Down }), "a member is wanted as none can be");
        Promise(backends.All(b => b.Members.DistinctBy(m => m.Name).Count() == b.Members.Count) && backends.DistinctBy(b => b.Name).Count() == backends.Count, "a name is there twice");
        file.Write(backends);
        Promise(file.Read().Zip(backends).All(p => p.First.Name == p.Second.Name && p.First.Members.SequenceEqual(p.Second.Members)), "what is written is not what is read again");
        return $"{Math.Min(3, backends.Count)} backends";
    }
}
