using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>What is not as it should be with the instances of one host that answers.</summary>
internal sealed class InstanceDrift(
    DeploymentManifest manifest, FleetObservation fleet, ManifestHost host, HostObservation.Seen seen, ReleaseId? wanted, DateTimeOffset now)
{
    /// <summary>The command that proposes a plan.</summary>
    public const string Repair = "decant repair";

    /// <summary>Agents' clocks and the time that a stop takes are no drift.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(1);

    /// <summary>Everything that is wrong there.</summary>
    public IEnumerable<Finding> Find()
    {
        // Nothing was ever deployed: there is nothing that should be.
        if (wanted is null) return [];
        return Intended.ActiveOn(manifest, fleet, host, wanted) is { } active
            ? [.. OfRelease(active), .. OfState(active), .. OfSettings(active), .. OfRotation(active), .. seen.Instances.Where(i => i != active).SelectMany(OfOther)]
            : [OfNothing()];
    }

    private Finding OfNothing() => seen.Slots.OrderByDescending(s => s.Release == wanted).FirstOrDefault(s => s is { State: SlotState.Stopped, Release: not null }) is { } stopped
        ? At(
            FindingKind.Stopped,
            stopped.Name,
            $"{stopped.Release} is stopped{(stopped.ExitCode is { } code ? $", its last exit code is {code}" : "")}; no deployment known here left it so",
            $"{wanted} runs",
            Repair)
        : At(FindingKind.Empty, host.Slot.Name, "nothing runs", $"{wanted} runs", Repair);

    private IEnumerable<Finding> OfRelease(RunningInstance active)
    {
        if (active.Release != wanted) yield return At(FindingKind.OtherRelease, active.Slot.Name, $"runs {active.Release}", $"runs {wanted}, as the fleet does", Repair);
    }

    private IEnumerable<Finding> OfState(RunningInstance active)
    {
        if (active.Healthy) yield break;
        var slot = seen.Slots.FirstOrDefault(s => s.Name == active.Slot.Name);
        var (kind, what) = slot?.State switch
        {
            SlotState.BackingOff => (FindingKind.Died, $"{active.Release} died{(slot.ExitCode is { } code ? $" with exit code {code}" : "")}, and its agent starts it again and again"),
            SlotState.Starting => (FindingKind.NotHealthy, $"{active.Release} is starting and not healthy yet"),
            SlotState.Stopping => (FindingKind.NotHealthy, $"{active.Release} is being stopped"),
            _ => (FindingKind.NotHealthy, $"{active.Release} runs, but its health check fails"),
        };
        yield return At(kind, active.Slot.Name, what, $"{wanted} runs and is healthy", $"decant logs {host.Name} says why; {Repair}");
    }

    private IEnumerable<Finding> OfSettings(RunningInstance active)
    {
        if (active.Release != wanted) yield break;
        if (host.Slots.FirstOrDefault(s => s.Name == active.Slot.Name) is not { } own)
        {
            yield return At(
                FindingKind.OtherSettings, active.Slot.Name, $"runs in {active.Slot.Name}, which is no slot of the manifest", $"runs in {string.Join(" or ", host.Slots.Select(s => s.Name))}", Repair);
        }
        else if (SlotDifference.Between(manifest.App, active.Slot, own) is { Count: > 0 } differences)
        {
            yield return At(FindingKind.OtherSettings, active.Slot.Name, "runs with other settings", $"those of the manifest: {string.Join(", ", differences)}", Repair);
        }
    }

    private IEnumerable<Finding> OfRotation(RunningInstance active)
    {
        // By the one command that is only about this, where it knows which slot is meant.
        var mend = host.Slots.Count == 1 && active.Slot.Name == host.Slot.Name ? $"decant undrain {host.Name}" : Repair;
        foreach (var balancer in manifest.Balancers)
        {
            if (fleet.Of(balancer, host.Name) is not BalancerObservation.Seen { Managed: var isManaged }) continue;
            var name = balancer.MemberOf(host.Name, active.Slot.Name);
            switch (fleet.MemberOf(balancer, host.Name, active.Slot.Name))
            {
                case null when isManaged:
                    yield return At(FindingKind.OutOfRotation, active.Slot.Name, $"{balancer.Key} has no member {name}", "it is in rotation", mend);
                    break;
                case null:
                    yield return At(
                        FindingKind.MemberMissing,
                        active.Slot.Name,
                        $"{balancer.Key} has no member {name} in {balancer.Backend}",
                        "it is in rotation",
                        "correct `member` in the manifest, or the balancer's configuration");
                    break;
                case { IsOut: true } member:
                    yield return At(
                        FindingKind.OutOfRotation,
                        active.Slot.Name,
                        $"{name} is {(member.Standing == MemberStanding.Draining ? "drained" : "in maintenance")} at {balancer.Key}",
                        "it is in rotation",
                        mend);
                    break;
                case { Standing: MemberStanding.Down } when active.Healthy:
                    yield return At(
                        FindingKind.Down, active.Slot.Name, $"{balancer.Key} calls {name} down, though it is healthy", "it is up", $"see the balancer's own check of {name}: the way from it to {host.Address}:{active.Slot.Port}");
                    break;
                case { Weight: < 100 } member when active.Healthy:
                    yield return At(FindingKind.Weight, active.Slot.Name, $"{name} has {member.Weight} % of a full share at {balancer.Key}", "a full share", mend);
                    break;
                default:
                    break;
            }
        }
    }

    private IEnumerable<Finding> OfOther(RunningInstance other)
    {
        var slot = other.Slot.Name;
        if (!other.Retiring)
        {
            yield return At(FindingKind.LeftRunning, slot, $"{other.Release} runs beside what serves, and nothing is going to stop it", "nothing runs there", Repair);
            yield break;
        }

        if (seen.Slots.FirstOrDefault(s => s.Name == slot)?.RetireAt is not { } retireAt) yield break;
        var strategy = manifest.Strategy;
        if (now > retireAt + strategy.StopTimeout + strategy.TermTimeout + Grace)
            yield return At(FindingKind.KeptTooLong, slot, $"{other.Release} is warm still, and was to be stopped at {retireAt:u}", "it is stopped", Repair);
        else if (retireAt > now + strategy.KeepOld + Grace)
            yield return At(FindingKind.KeptTooLong, slot, $"{other.Release} is kept warm until {retireAt:u}", $"for {DurationText.Format(strategy.KeepOld)} at most (strategy.keep_old)", Repair);
    }

    private Finding At(FindingKind kind, SlotName slot, string what, string shouldBe, string mend) => new(kind, host.Name, slot, what, shouldBe, mend);
}
