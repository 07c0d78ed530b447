using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>Watches canaries for a while: the one step that no agent does, but the controller itself.</summary>
/// <param name="Gate">Who is watched, how long, and what is too bad.</param>
/// <param name="App">The app.</param>
public sealed record BakeStep(CanaryGate Gate, AppName App) : Step(Gate.Canaries[0].Name, Gate.Canaries[0].Agent)
{
    /// <inheritdoc/>
    public override string Verb => "bake";

    /// <inheritdoc/>
    public override IReadOnlyList<Fleet.HostName> Hosts => [.. Gate.Canaries.Select(c => c.Name)];

    /// <inheritdoc/>
    public override string Describe() => $"watch {string.Join(", ", Hosts)} for {DurationText.Format(Gate.Policy.Bake)}";
}
