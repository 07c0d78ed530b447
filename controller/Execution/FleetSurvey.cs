using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>What all agents and balancers of a manifest say, asked at once before planning.</summary>
/// <param name="Fleet">For the planner.</param>
/// <param name="Balancers">By the balancer's key in the manifest.</param>
internal sealed record FleetSurvey(FleetObservation Fleet, IReadOnlyDictionary<HostName, BalancerObservation> Balancers)
{
    /// <summary>Asks everybody at once.</summary>
    public static async Task<FleetSurvey> MakeAsync(IFleet fleet, DeploymentManifest manifest, CancellationToken cancellation)
    {
        var hosts = Task.WhenAll(manifest.Hosts.Select(async h => (h.Name, Seen: await fleet.ObserveAsync(h, manifest.App, cancellation))));
        var balancers = Task.WhenAll(manifest.Balancers.Select(async b => (b.Key, Seen: await fleet.ObserveAsync(b, cancellation))));
        return new FleetSurvey(
            new FleetObservation((await hosts).ToDictionary(h => h.Name, h => h.Seen)),
            (await balancers).ToDictionary(b => b.Key, b => b.Seen));
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

        foreach (var balancer in manifest.Balancers)
        {
            switch (Balancers[balancer.Key])
            {
                case BalancerObservation.Unreachable { Error: var error }:
                    problems.Add(Unreachable($"balancer {balancer.Key}: {error.Message}", error).With("balancer", balancer.Key.Value));
                    break;
                case BalancerObservation.Seen seen:
                    problems.AddRange(manifest.Hosts.Where(h => !seen.Members.ContainsKey(balancer.MemberOf(h.Name)))
                        .Select(h => NoMember(balancer, balancer.MemberOf(h.Name), seen).With("host", h.Name.Value)));
                    break;
            }
        }

        return problems;
    }

    /// <summary>Balancers at which a host's member takes no new requests because somebody took it out.</summary>
    public bool IsTakenOut(ManifestBalancer balancer, HostName host)
        => Balancers[balancer.Key] is BalancerObservation.Seen seen
            && seen.Members.GetValueOrDefault(balancer.MemberOf(host)) is MemberStanding.Draining or MemberStanding.Maintenance;

    /// <summary>What the host runs now; null: nothing, or not known.</summary>
    public RunningInstance? RunningOn(HostName host) => (Fleet.Hosts.GetValueOrDefault(host) as HostObservation.Seen)?.Running;

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
