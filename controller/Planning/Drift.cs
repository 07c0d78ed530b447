using Decant.Controller.Manifest;

namespace Decant.Controller.Planning;

/// <summary>
/// What is, from the hosts and balancers, against what should be, from the manifest and the deployments that are known. Pure: the same input
/// gives the same findings, in the order of the manifest, what is about the whole first.
/// </summary>
internal static class Drift
{
    /// <summary>Everything that is not as it should be; empty when all is well.</summary>
    /// <param name="manifest">The manifest.</param>
    /// <param name="fleet">As it is now.</param>
    /// <param name="known">What deployments left behind.</param>
    /// <param name="now">For what is kept for a while.</param>
    public static IReadOnlyList<Finding> Find(DeploymentManifest manifest, FleetObservation fleet, KnownDeployment known, DateTimeOffset now)
    {
        var intended = Intended.Of(manifest, fleet, known);
        return
        [
            .. OfDeployment(known),
            .. OfStaleness(manifest, fleet, intended, known),
            .. manifest.Hosts.SelectMany(h => OfHost(manifest, fleet, intended, known, h, now)),
            .. manifest.Balancers.SelectMany(b => MemberDrift.Of(manifest, fleet, b)),
        ];
    }

    private static IEnumerable<Finding> OfDeployment(KnownDeployment known)
    {
        if (known.Unfinished is not { } unfinished) yield break;
        yield return new Finding(
            FindingKind.HalfFinished, null, null, $"deployment {unfinished.Id}: {unfinished.Where}", unfinished.Runs ? "it comes to its end" : "it came to its end", unfinished.Mend);
    }

    private static IEnumerable<Finding> OfStaleness(DeploymentManifest manifest, FleetObservation fleet, Intended intended, KnownDeployment known)
    {
        if (!intended.IsStale || intended.Most is not { } most) yield break;
        var meant = known.Releases.Values.GroupBy(r => r).OrderByDescending(g => g.Count()).First().Key;
        var isThere = manifest.Hosts.All(h => fleet.Hosts.GetValueOrDefault(h.Name) is not HostObservation.Seen seen || seen.Staged.Contains(meant));
        yield return new Finding(
            FindingKind.DeployedElsewhere,
            null,
            null,
            $"most hosts run {most}, which was deployed from elsewhere or by hand",
            $"{meant}, by deployment {known.Last}, the last one made from this machine",
            isThere
                ? $"decant rollback --to {meant.Version}, unless {most.Version} is what should run"
                : $"decant deploy with the archive of {meant}, unless {most.Version} is what should run");
    }

    private static IEnumerable<Finding> OfHost(
        DeploymentManifest manifest, FleetObservation fleet, Intended intended, KnownDeployment known, ManifestHost host, DateTimeOffset now)
    {
        switch (fleet.Hosts.GetValueOrDefault(host.Name))
        {
            case HostObservation.Seen seen:
                if (seen.ReadOnly is { } readOnly)
                {
                    yield return new Finding(
                        FindingKind.ReadOnly, host.Name, null, $"its agent is read-only: {readOnly.Why}", "its agent does what it is asked", readOnly.WhatNext);
                }

                if (Instances(manifest, fleet, intended, known, host, seen, now) is { } findings)
                {
                    foreach (var finding in findings) yield return finding;
                }

                break;
            case HostObservation.Unreachable { Error: { Code: Grpc.Core.StatusCode.Unavailable or Grpc.Core.StatusCode.DeadlineExceeded } error }:
                yield return new Finding(
                    FindingKind.Unreachable, host.Name, null, $"its agent at {host.Agent} does not answer: {error.Message}", "its agent answers", $"on {host.Name}: systemctl restart decantd");
                break;
            case HostObservation.Unreachable { Error: var error }:
                yield return new Finding(
                    FindingKind.AgentRefuses,
                    host.Name,
                    null,
                    $"its agent at {host.Agent} refuses: {error.Message}",
                    "its agent tells what is there",
                    error.WhatNext.Length > 0 ? error.WhatNext : $"on {host.Name}: journalctl -u decantd -n 50");
                break;
            default:
                break;
        }
    }

    /// <summary>Null: a deployment is at it, or left it half way, and brings it to its end.</summary>
    private static IEnumerable<Finding>? Instances(
        DeploymentManifest manifest,
        FleetObservation fleet,
        Intended intended,
        KnownDeployment known,
        ManifestHost host,
        HostObservation.Seen seen,
        DateTimeOffset now)
    {
        var wanted = intended.On(host.Name);
        if (known.Unfinished is { } unfinished)
        {
            if (unfinished.Runs) return null;
            if (unfinished.Hosts.TryGetValue(host.Name, out var meant))
            {
                var runs = Intended.ActiveOn(manifest, fleet, host, meant.To);
                return runs is null || runs.Release == meant.From || runs.Release == meant.To ? null
                    : [new Finding(FindingKind.OtherRelease, host.Name, runs.Slot.Name, $"runs {runs.Release}", $"{meant.To?.ToString() ?? "nothing"}, by deployment {unfinished.Id}", unfinished.Mend)];
            }
        }

        return new InstanceDrift(manifest, fleet, host, seen, wanted, now).Find();
    }
}
