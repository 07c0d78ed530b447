using Decant.Controller.Fleet;
using Decant.Controller.Manifest;

namespace Decant.Controller.Planning;

/// <summary>What is not as it should be at one balancer, beside the members of what serves.</summary>
internal static class MemberDrift
{
    /// <summary>Seats that do not answer, and members that get traffic and should not.</summary>
    public static IEnumerable<Finding> Of(DeploymentManifest manifest, FleetObservation fleet, ManifestBalancer balancer)
    {
        foreach (var hosts in manifest.Hosts.GroupBy(h => BalancerSeat.Of(balancer, h.Name)))
        {
            switch (fleet.Balancers.GetValueOrDefault(hosts.Key))
            {
                // Of a host whose agent does not answer that is said already.
                case BalancerObservation.Unreachable { Error: var error } when hosts.Key.Host is not { } own || fleet.Hosts.GetValueOrDefault(own) is HostObservation.Seen:
                    yield return new Finding(
                        FindingKind.BalancerUnreachable,
                        hosts.Key.Host ?? balancer.Key,
                        null,
                        $"balancer {hosts.Key} does not answer: {error.Message}",
                        "it answers",
                        error.WhatNext.Length > 0 ? error.WhatNext : $"see that {balancer.Balancer} and the agent beside it run");
                    break;
                case BalancerObservation.Seen seen:
                    foreach (var finding in Unexpected(fleet, balancer, hosts.Key, [.. hosts], seen)) yield return finding;
                    break;
                default:
                    break;
            }
        }
    }

    private static IEnumerable<Finding> Unexpected(
        FleetObservation fleet, ManifestBalancer balancer, BalancerSeat seat, IReadOnlyList<ManifestHost> hosts, BalancerObservation.Seen seen)
    {
        var known = (
            from host in hosts
            from slot in host.Slots.Select(s => s.Name).Concat(RunningOn(fleet, host).Select(i => i.Slot.Name)).Distinct()
            select (Name: balancer.MemberOf(host.Name, slot), Host: host, Slot: slot)).DistinctBy(m => m.Name).ToDictionary(m => m.Name);
        foreach (var (name, member) in seen.Members.OrderBy(m => m.Key.Value, StringComparer.Ordinal))
        {
            if (member.Standing != MemberStanding.Ready) continue;
            if (!known.TryGetValue(name, out var own))
            {
                yield return new Finding(
                    FindingKind.UnexpectedMember,
                    seat.Host ?? balancer.Key,
                    null,
                    $"{seat} sends requests to {name} in {balancer.Backend}{(member.Address.Length > 0 ? $" at {member.Address}" : "")}, which is no instance of the manifest",
                    "it sends to the manifest's hosts only",
                    $"take {name} out at {balancer.Key}, or put its host into the manifest and deploy");
            }
            else if (fleet.Hosts.GetValueOrDefault(own.Host.Name) is HostObservation.Seen && RunningOn(fleet, own.Host).All(i => i.Slot.Name != own.Slot))
            {
                yield return new Finding(
                    FindingKind.UnexpectedMember,
                    own.Host.Name,
                    own.Slot,
                    $"{seat} sends requests to {name}, and nothing of the app runs there",
                    "it sends to what runs only",
                    $"take {name} out at {balancer.Key}: somebody else answers on its port");
            }
        }
    }

    private static IReadOnlyList<RunningInstance> RunningOn(FleetObservation fleet, ManifestHost host)
        => fleet.Hosts.GetValueOrDefault(host.Name) is HostObservation.Seen seen ? seen.Instances : [];
}
