using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Names;
using Decant.V1;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Controller.Fleet;

/// <summary>What agents answer, as the planner sees it. Whatever they answer: what makes no sense is left out, or is the nearest that does.</summary>
internal static class StatusMapping
{
    /// <summary>A host's status.</summary>
    public static HostObservation.Seen ToObservation(HostStatus status, AppName app)
    {
        var staged = status.Releases.Where(r => r.App == app.Value).ToList();
        var running = status.Instances.Where(i => i.App == app.Value).Select(ToRunning).OfType<RunningInstance>().ToList();
        var serving = running.Where(i => !i.Retiring).Select(i => i.Release).ToHashSet();
        var good = staged.Where(r => r.LastGood).Select(r => ToRelease(r.Release_)).FirstOrDefault(r => r is not null && !serving.Contains(r));
        return new HostObservation.Seen(staged.Select(r => ToRelease(r.Release_)).OfType<ReleaseId>().ToHashSet(), good, running)
        {
            ReadOnly = status.ReadOnly is { } readOnly ? new ReadOnlyAgent(readOnly.Reason, readOnly.WhatNext) : null,
            Slots = [.. status.Instances.Where(i => i.App == app.Value).Select(ToSlot).OfType<SeenSlot>()],
        };
    }

    /// <summary>A backend with its members.</summary>
    public static BalancerObservation.Seen ToObservation(Backend backend)
    {
        var members = new Dictionary<MemberName, ObservedMember>();
        foreach (var member in backend.Members)
        {
            if (MemberName.TryParse(member.Name, out var name, out _)) members[name] = ToObserved(member);
        }

        return new BalancerObservation.Seen(members, backend.MembersManaged, backend.CountsAnswers);
    }

    /// <summary>A release; null when the agent does not know which.</summary>
    public static ReleaseId? ToRelease(ReleaseRef? release)
        => release is not null && ReleaseVersion.TryParse(release.Version, out var version, out _) && Sha256Digest.TryParse(release.Digest, out var digest, out _)
            ? new ReleaseId(version, digest)
            : null;

    private static RunningInstance? ToRunning(Instance instance)
    {
        if (instance.State is InstanceState.Stopped or InstanceState.Unspecified || ToRelease(instance.Release) is not { } release || !SlotName.TryParse(instance.Slot, out var slot, out _)) return null;
        var spec = instance.Spec ?? new SlotSpec();
        return new RunningInstance(
            release,
            instance.State is InstanceState.Running,
            new SlotSettings(
                slot, Whole(spec.Port), spec.Node, new Dictionary<string, string>(spec.Env), !spec.NoDistribution),
            Retiring: instance.RetireAt is not null);
    }

    private static SeenSlot? ToSlot(Instance instance) => !SlotName.TryParse(instance.Slot, out var slot, out _) ? null : new SeenSlot(
        slot,
        instance.State switch
        {
            InstanceState.Starting => SlotState.Starting,
            InstanceState.Running => SlotState.Running,
            InstanceState.Unhealthy => SlotState.Unhealthy,
            InstanceState.Stopping => SlotState.Stopping,
            InstanceState.BackingOff => SlotState.BackingOff,
            _ => SlotState.Stopped,
        },
        ToRelease(instance.Release),
        Time(instance.RetireAt),
        instance.LastExit is { HasExitCode: true } exit ? exit.ExitCode : null);

    private static ObservedMember ToObserved(Member member) => new(
        ToStanding(member.State),
        member.Address,
        Whole(member.Weight),
        Whole(member.ResponsesTotal),
        Whole(member.Responses5Xx),
        member.ResponseTimeMs is >= 0 and <= double.MaxValue ? member.ResponseTimeMs : 0,
        Whole(member.ResponseTimeWindow));

    private static int Whole(uint number) => (int)Math.Min(number, int.MaxValue);

    private static long Whole(ulong number) => (long)Math.Min(number, long.MaxValue);

    /// <summary>A time; null when there is none, or it is none that a calendar has.</summary>
    private static DateTimeOffset? Time(Timestamp? time)
    {
        try
        {
            return time?.ToDateTimeOffset();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static MemberStanding ToStanding(MemberState state) => state switch
    {
        MemberState.Ready => MemberStanding.Ready,
        MemberState.Draining => MemberStanding.Draining,
        MemberState.Maintenance => MemberStanding.Maintenance,
        _ => MemberStanding.Down,
    };
}
