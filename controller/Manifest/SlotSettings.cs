using Decant.Names;

namespace Decant.Controller.Manifest;

/// <summary>How one instance runs in its slot.</summary>
/// <param name="Name">The slot, <c>main</c> unless said otherwise.</param>
/// <param name="Port">TCP port that the app serves on.</param>
/// <param name="Node">Erlang node name with host; empty for the agent's default <c>app-slot@127.0.0.1</c>.</param>
/// <param name="Environment">Environment variables; never secrets, which belong into the host's own env file.</param>
/// <param name="Distribution">False: run without Erlang distribution.</param>
public sealed record SlotSettings(
    SlotName Name, int Port, string Node, IReadOnlyDictionary<string, string> Environment, bool Distribution);
