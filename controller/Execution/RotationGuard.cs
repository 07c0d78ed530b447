using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>
/// Keeps <c>strategy.min_in_rotation</c> while a plan is carried out: looks at all hosts and balancers right before a member that has traffic is taken
/// out. A plan knows only what was so when it was made; a balancer counts its own members, and not hosts.
/// </summary>
internal sealed class RotationGuard(IFleet fleet, DeploymentManifest manifest, TimeProvider time)
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    private readonly int fewest = manifest.Strategy.Kind == StrategyKind.Recreate ? 0 : manifest.Strategy.MinInRotation.AtLeastOf(manifest.Hosts.Count);
    private readonly Lock gate = new();
    // Hosts that may be taken out, as long as it is not to be seen yet.
    private readonly HashSet<HostName> going = [];

    /// <summary>Waits, as long as the drain itself may take, until enough other hosts serve.</summary>
    /// <param name="drain">What is to be taken out.</param>
    /// <param name="tell">Told once that it waits.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>Why it must not be drained; null: it may.</returns>
    public async Task<OperatorError?> WhyNotAsync(DrainStep drain, Action<string> tell, CancellationToken cancellation)
    {
        if (fewest == 0 || drain.IsFinal) return null;
        var begun = time.GetTimestamp();
        for (var isTold = false; ;)
        {
            var survey = await FleetSurvey.MakeAsync(fleet, manifest, [], cancellation);
            List<HostName> others;
            lock (gate)
            {
                if (!TakesAway(survey.Fleet, drain)) return null;
                others = [.. Serving(survey.Fleet).Where(h => h != drain.Host && !going.Contains(h))];
                if (others.Count >= fewest)
                {
                    going.Add(drain.Host);
                    return null;
                }
            }

            var what = $"{drain.Host} serves, and {(others.Count == 0 ? "no other host does" : $"of the others {string.Join(", ", others)} alone")}: strategy.min_in_rotation is {fewest} of {manifest.Hosts.Count} hosts";
            if (time.GetElapsedTime(begun) >= drain.Deadline) return TooFew(drain, what);
            if (!isTold) tell($"waiting, because {what}");
            isTold = true;
            await time.ForAsync(Look, cancellation);
        }
    }

    /// <summary>The drain has ended: what became of it is to be seen.</summary>
    public void Ended(DrainStep drain)
    {
        lock (gate) going.Remove(drain.Host);
    }

    private bool TakesAway(FleetObservation now, DrainStep drain)
        => Serves(now, drain.Host, without: null) && !Serves(now, drain.Host, without: new MemberSeat(drain.Balancer.Key, drain.Host, drain.At.Slot.Name));

    private IEnumerable<HostName> Serving(FleetObservation now) => manifest.Hosts.Select(h => h.Name).Where(h => Serves(now, h, without: null));

    /// <summary>At every balancer some member of the host takes requests: by the balancers, and by the agent where it answers.</summary>
    private bool Serves(FleetObservation now, HostName host, MemberSeat? without)
    {
        var named = manifest.Hosts.FirstOrDefault(h => h.Name == host);
        var instances = now.Hosts.GetValueOrDefault(host) is HostObservation.Seen seen ? seen.Instances : null;
        if (named is null || (manifest.Balancers.Count == 0 && instances is null)) return false;
        var slots = instances is null ? named.Slots.Select(s => s.Name) : instances.Where(i => i.Healthy).Select(i => i.Slot.Name);
        return manifest.Balancers.All(b => slots.Any(slot => new MemberSeat(b.Key, host, slot) != without && IsIn(now, b, host, slot)));
    }

    private static bool IsIn(FleetObservation now, ManifestBalancer balancer, HostName host, SlotName slot)
        => now.Of(balancer, host) is not BalancerObservation.Seen || now.MemberOf(balancer, host, slot) is { Standing: MemberStanding.Ready };

    private static OperatorError TooFew(DrainStep drain, string what) => new OperatorError(
        StatusCode.FailedPrecondition,
        "TOO_FEW_IN_ROTATION",
        $"{drain.Host} was not drained at {drain.Balancer.Key}: {what}",
        "bring the others up (decant status says what is wrong with them), or lower strategy.min_in_rotation").With("host", drain.Host.Value).With("state", "in rotation as before");
}
