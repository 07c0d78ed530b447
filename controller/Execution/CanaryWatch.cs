using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>
/// Watches canaries for as long as the manifest says: their health by their agents, and their errors and times by the balancers' own counters, against
/// those of the other instances over the same time.
/// </summary>
internal sealed class CanaryWatch(IFleet fleet, DeploymentManifest manifest, ReleaseId release, TimeProvider time)
{
    private static readonly TimeSpan ShortestLook = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestLook = TimeSpan.FromSeconds(10);

    /// <summary>Watches.</summary>
    /// <param name="gate">Who, how long, what is too bad.</param>
    /// <param name="progress">Told what is seen.</param>
    /// <param name="cancellation">Ends it early.</param>
    public async Task<StepOutcome> RunAsync(CanaryGate gate, Action<StepProgress> progress, CancellationToken cancellation)
    {
        var bake = gate.Policy.Bake;
        var look = TimeSpan.FromTicks(Math.Clamp(bake.Ticks / 10, ShortestLook.Ticks, LongestLook.Ticks));
        var first = await ObserveAsync(cancellation);
        if (!first.Counts) progress(new StepProgress.Message("no balancer counts answers: the canaries are judged by their health alone"));
        var begun = time.GetTimestamp();
        while (true)
        {
            var left = bake - time.GetElapsedTime(begun);
            await time.ForAsync(left < look ? left : look, cancellation);
            var elapsed = time.GetElapsedTime(begun);
            if (await WhyUnhealthyAsync(gate, cancellation) is { } sick) return Failed(gate, sick, elapsed);

            var now = await ObserveAsync(cancellation);
            var (canaries, rest) = (Since(first, now, gate, isCanary: true), Since(first, now, gate, isCanary: false));
            if (first.Counts) progress(new StepProgress.Watched(elapsed, $"canaries {canaries}; the rest {rest}"));
            if (CanaryJudgement.WhyTooBad(canaries, rest, gate.Policy.Tolerance) is { } bad) return Failed(gate, bad, elapsed);
            if (elapsed >= bake) return new StepOutcome.Succeeded(first.Counts ? $"canaries {canaries}; the rest {rest}" : "healthy throughout");
        }
    }

    private async Task<string?> WhyUnhealthyAsync(CanaryGate gate, CancellationToken cancellation)
    {
        foreach (var canary in gate.Canaries)
        {
            // An agent that does not answer says nothing of its release: the balancers' counters go on telling.
            if (await fleet.ObserveAsync(canary, manifest.App, cancellation) is not HostObservation.Seen seen) continue;
            var instance = seen.Instances.FirstOrDefault(i => i.Release == release);
            if (instance is null) return $"{release.Version} no longer runs on {canary.Name}";
            if (!instance.Healthy) return $"{release.Version} on {canary.Name} is not healthy";
        }

        return null;
    }

    private async Task<Look> ObserveAsync(CancellationToken cancellation)
    {
        var seats = (from balancer in manifest.Balancers from host in manifest.Hosts select (Seat: BalancerSeat.Of(balancer, host.Name), Balancer: balancer, Host: host))
            .DistinctBy(s => s.Seat);
        var seen = await Task.WhenAll(seats.Select(async s => (s.Seat, Seen: await fleet.ObserveAsync(s.Balancer, s.Host, cancellation))));
        return new Look(new FleetObservation(new Dictionary<HostName, HostObservation>()) { Balancers = seen.ToDictionary(s => s.Seat, s => s.Seen) });
    }

    private TrafficFigures Since(Look first, Look now, CanaryGate gate, bool isCanary)
    {
        long answers = 0, errors = 0;
        double weighted = 0;
        long timed = 0;
        foreach (var (balancer, host, slot) in from b in manifest.Balancers from h in manifest.Hosts from s in h.Slots select (b, h, s))
        {
            if (gate.Canaries.Any(c => c.Name == host.Name && (c.Slot.Name == slot.Name || host.Slots.Count == 1)) != isCanary) continue;
            if (now.Fleet.MemberOf(balancer, host.Name, slot.Name) is not { } member) continue;
            var before = first.Fleet.MemberOf(balancer, host.Name, slot.Name);
            // A balancer that was restarted counts from nothing again.
            var restarted = before is null || member.Answers < before.Answers;
            var (more, worse) = restarted ? (member.Answers, member.Errors) : (member.Answers - before!.Answers, member.Errors - before.Errors);
            answers += more;
            errors += worse;
            if (ResponseTimes.Since(restarted ? null : before, member) is not { } milliseconds) continue;
            weighted += more * milliseconds;
            timed += more;
        }

        return new TrafficFigures(answers, errors, timed == 0 ? 0 : weighted / timed);
    }

    private StepOutcome.Failed Failed(CanaryGate gate, string why, TimeSpan elapsed) => new(
        new OperatorError(
            StatusCode.Aborted,
            "CANARY_FAILED",
            $"the canaries {string.Join(", ", gate.Canaries.Select(c => c.Name))} ({release.Version}) are worse than the rest after {DurationText.Format(TimeSpan.FromSeconds(Math.Ceiling(elapsed.TotalSeconds)))}: {why}",
            "look at the release's output (decant logs); raise strategy.canary.max_error_points or max_slowdown if this is to be expected")
            .With("host", gate.Canaries[0].Name.Value),
        []);

    private sealed record Look(FleetObservation Fleet)
    {
        public bool Counts => Fleet.Balancers.Values.Any(b => b is BalancerObservation.Seen { CountsAnswers: true });
    }
}
