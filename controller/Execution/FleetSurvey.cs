using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>What all agents and balancers of a manifest say, asked at once before planning.</summary>
/// <param name="Fleet">For the planner.</param>
internal sealed record FleetSurvey(FleetObservation Fleet)
{
    /// <summary>Asks everybody at once.</summary>
    /// <param name="fleet">Who is asked.</param>
    /// <param name="manifest">Its hosts and balancers.</param>
    /// <param name="leaving">Hosts that are no longer in the manifest.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<FleetSurvey> MakeAsync(
        IFleet fleet, DeploymentManifest manifest, IReadOnlyList<ManifestHost> leaving, CancellationToken cancellation)
    {
        var all = manifest.Hosts.Concat(leaving).ToList();
        var hosts = Task.WhenAll(all.Select(async h => (h.Name, Seen: OwnOf(h, manifest, await fleet.ObserveAsync(h, manifest.App, cancellation)))));
        var seats = (from balancer in manifest.Balancers from host in all select (Seat: BalancerSeat.Of(balancer, host.Name), Balancer: balancer, Host: host))
            .DistinctBy(s => s.Seat);
        var balancers = Task.WhenAll(seats.Select(async s => (s.Seat, Seen: await fleet.ObserveAsync(s.Balancer, s.Host, cancellation))));
        return new FleetSurvey(new FleetObservation((await hosts).ToDictionary(h => h.Name, h => h.Seen))
        {
            Balancers = (await balancers).ToDictionary(b => b.Seat, b => b.Seen),
            Leaving = leaving,
        });
    }

    /// <summary>What keeps a deployment from being begun: who does not answer, and members that a balancer does not have.</summary>
    public IReadOnlyList<OperatorError> Problems(DeploymentManifest manifest)
    {
        var problems = new List<OperatorError>();
        foreach (var host in manifest.Hosts)
        {
            if (Fleet.Hosts[host.Name] is HostObservation.Unreachable { Error: var error })
                problems.Add(Unreachable($"{host.Name}: its agent at {host.Agent} does not answer: {error.Message}", error).With("host", host.Name.Value));
        }

        foreach (var (balancer, hosts) in manifest.Balancers.SelectMany(b => manifest.Hosts.GroupBy(h => BalancerSeat.Of(b, h.Name)).Select(g => (b, g))))
        {
            switch (Fleet.Balancers[hosts.Key])
            {
                case BalancerObservation.Unreachable { Error: var error }:
                    problems.Add(Unreachable($"balancer {hosts.Key}: {error.Message}", error).With("balancer", balancer.Key.Value));
                    break;
                case BalancerObservation.Seen { Managed: false } seen:
                    problems.AddRange(hosts.SelectMany(h => h.Slots.Select(s => (Host: h, Slot: s))).Select(i => WhyNotMember(balancer, i.Host, i.Slot, seen)).OfType<OperatorError>());
                    break;
            }
        }

        return problems;
    }

    /// <summary>Somebody took the member of an instance out: it takes no new requests.</summary>
    public bool IsTakenOut(ManifestBalancer balancer, HostName host, SlotName slot) => Fleet.MemberOf(balancer, host, slot) is { IsOut: true };

    /// <summary>What runs on the host now; empty: nothing, or not known.</summary>
    public IReadOnlyList<RunningInstance> InstancesOn(HostName host) => Fleet.Hosts.GetValueOrDefault(host) is HostObservation.Seen seen ? seen.Instances : [];

    /// <summary>What serves on the host now; null: nothing, or not known.</summary>
    public RunningInstance? ServingOn(DeploymentManifest manifest, HostName host, ReleaseId? wanted)
        => manifest.Hosts.Concat(Fleet.Leaving).FirstOrDefault(h => h.Name == host) is { } known
            ? HostView.Of(manifest, Fleet, known, InstancesOn(host), wanted).Active
            : null;

    /// <summary>Two hosts of a manifest may be one machine, with slots of their own: what is the other's is not this one's.</summary>
    internal static HostObservation OwnOf(ManifestHost host, DeploymentManifest manifest, HostObservation observation)
    {
        if (observation is not HostObservation.Seen seen) return observation;
        var others = manifest.Hosts.Where(h => h.Agent == host.Agent && h.Name != host.Name).SelectMany(h => h.Slots).Select(s => s.Name).ToHashSet();
        return others.Count == 0 ? seen : seen with
        {
            Instances = [.. seen.Instances.Where(i => !others.Contains(i.Slot.Name))],
            Slots = [.. seen.Slots.Where(s => !others.Contains(s.Name))],
        };
    }

    private static OperatorError? WhyNotMember(ManifestBalancer balancer, ManifestHost host, SlotSettings slot, BalancerObservation.Seen seen)
    {
        var name = balancer.MemberOf(host.Name, slot.Name);
        if (!seen.Members.TryGetValue(name, out var member)) return NoMember(balancer, name, seen).With("host", host.Name.Value);
        return MemberAddress.TryParse(member.Address, out var address, out _) && address.Port != slot.Port
            ? OtherPort(balancer, name, address, slot).With("host", host.Name.Value)
            : null;
    }

    private static OperatorError OtherPort(ManifestBalancer balancer, MemberName member, MemberAddress address, SlotSettings slot) => new(
        StatusCode.FailedPrecondition,
        "ADDRESS_DIFFERS",
        $"balancer {balancer.Key}: {balancer.Backend}/{member} is at {address}, and the manifest gives {slot.Name} port {slot.Port}",
        "correct one of the two, or let the agent manage the balancer's members (members: managed in agent.yml); nothing was touched");

    private static OperatorError Unreachable(string message, OperatorError cause) => new(
        cause.Code is StatusCode.NotFound ? StatusCode.NotFound : StatusCode.Unavailable,
        Refusals.HostUnreachable,
        message,
        cause.WhatNext.Length > 0 ? cause.WhatNext : "see that decantd runs there and can be reached; nothing was touched");

    private static OperatorError NoMember(ManifestBalancer balancer, MemberName member, BalancerObservation.Seen seen) => new(
        StatusCode.NotFound,
        "MEMBER_NOT_FOUND",
        $"balancer {balancer.Key}: backend {balancer.Backend} has no member {member}; it has {string.Join(", ", seen.Members.Keys.Select(m => m.Value).Order(StringComparer.Ordinal))}",
        "correct `member` in the manifest, or the balancer's configuration; nothing was touched");
}
