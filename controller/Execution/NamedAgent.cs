using Decant.Controller.Fleet;
using Decant.Controller.Manifest;

namespace Decant.Controller.Execution;

/// <summary>An agent by what people call it.</summary>
/// <param name="Name"><c>web1</c>, or <c>balancer edge</c>.</param>
/// <param name="Address">Where it is.</param>
internal sealed record NamedAgent(string Name, AgentAddress Address)
{
    /// <summary>All agents of a manifest, each once.</summary>
    public static IReadOnlyList<NamedAgent> Of(DeploymentManifest manifest)
    {
        var balancers = manifest.Balancers.Where(b => b.Agent is not null).Select(b => new NamedAgent($"balancer {b.Key}", b.Agent!));
        return [.. manifest.Hosts.Select(h => new NamedAgent(h.Name.Value, h.Agent)).Concat(balancers).DistinctBy(a => a.Address)];
    }
}
