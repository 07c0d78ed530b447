using Decant.Agent.Instances;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>What HAProxy sends by <c>agent-send</c>: <c>APP/SLOT</c>, or <c>APP/SLOT NAME</c> where several HAProxies share an address.</summary>
/// <param name="Key">The slot it asks for.</param>
/// <param name="Name">What it calls itself; empty when it does not.</param>
internal sealed record AgentCheckRequest(InstanceKey Key, string Name)
{
    /// <summary>Longest line that is read, in bytes.</summary>
    public const int MaxLength = 256;

    /// <summary>Reads a line; null when it is none of these.</summary>
    public static AgentCheckRequest? Read(string line)
    {
        var words = line.Trim().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length is < 1 or > 2 || words[0].Split('/') is not [var app, var slot]) return null;
        if (!AppName.TryParse(app, out var appName, out _) || !SlotName.TryParse(slot, out var slotName, out _)) return null;
        if (words.Length == 1) return new AgentCheckRequest(new InstanceKey(appName, slotName), "");
        return MemberName.TryParse(words[1], out var name, out _) ? new AgentCheckRequest(new InstanceKey(appName, slotName), name.Value) : null;
    }
}
