using Decant.Controller.Fleet;
using Decant.Names;

namespace Decant.Controller.Manifest;

/// <summary>A backend that has the hosts' instances as members.</summary>
/// <param name="Key">Its name in the manifest.</param>
/// <param name="Agent">The agent of the host that the balancer lives on.</param>
/// <param name="Balancer">Its name in that agent's agent.yml.</param>
/// <param name="Backend">The backend's name in the balancer's configuration.</param>
/// <param name="MemberTemplate">Name of a host's member in it; <c>{host}</c> stands for the host's name.</param>
public sealed record ManifestBalancer(HostName Key, AgentAddress Agent, BalancerName Balancer, MemberName Backend, string MemberTemplate)
{
    /// <summary>The name of a host's member.</summary>
    public MemberName MemberOf(HostName host) => MemberName.Parse(MemberTemplate.Replace("{host}", host.Value, StringComparison.Ordinal));
}
