using System.Text;
using Decant.Agent.Balancers;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>The line that whoever connects to the agent-check port sends: a slot and a name, or nothing.</summary>
internal sealed class AgentCheck : FuzzTarget
{
    public override IEnumerable<byte[]> Seeds => Bytes("shop/main", "shop/blue edge1\r", "shop", "/", "a/b/c d e");

    public override IReadOnlyList<byte[]> Words => Bytes("/", " ", "shop", "main", "\r", "\0");

    public override int Largest => AgentCheckRequest.MaxLength;

    public override string Run(byte[] input)
    {
        if (AgentCheckRequest.Read(Encoding.ASCII.GetString(input)) is not { } request) return "nothing";
        Promise(request.Key.App.Value.Length is > 0 and <= 63 && request.Key.Slot.Value.Length is > 0 and <= 63 && request.Name.Length <= 128, "a name is too long");
        Readable(request.Name);
        return request.Name.Length == 0 ? "a slot" : "a slot and a name";
    }
}
