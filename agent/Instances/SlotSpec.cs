using Decant.Agent.Elixir;
using Decant.Names;

namespace Decant.Agent.Instances;

/// <summary>A slot of an app on this host.</summary>
/// <param name="App">The app.</param>
/// <param name="Slot">The slot.</param>
internal sealed record InstanceKey(AppName App, SlotName Slot)
{
    /// <summary>For people and logs: <c>shop/blue</c>.</summary>
    public override string ToString() => $"{App}/{Slot}";
}

/// <summary>How an instance runs in its slot: what has to differ when two versions live side by side.</summary>
/// <param name="Port">TCP port that it serves on.</param>
/// <param name="Node">Its Erlang node name.</param>
/// <param name="Distribution">False: no Erlang distribution, so no <c>rpc</c> and no stop by script.</param>
/// <param name="Environment">From the manifest, without the agent's own variables and the host's env file.</param>
internal sealed record SlotSpec(int Port, NodeName Node, bool Distribution, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>Whether an instance that runs with this spec need not be started again for <paramref name="other"/>.</summary>
    public bool IsSameAs(SlotSpec other)
        => Port == other.Port && Node == other.Node && Distribution == other.Distribution
            && Environment.Count == other.Environment.Count
            && Environment.All(v => other.Environment.TryGetValue(v.Key, out var value) && value == v.Value);
}
