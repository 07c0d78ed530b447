using Decant.Agent.Balancers;
using Decant.Names;

namespace Decant.Agent.Api;

/// <summary>Backends and members as the contract has them.</summary>
internal static class BalancerMapping
{
    public static V1.Backend ToMessage(BalancerName balancer, Backend backend)
        => new()
        {
            Balancer = balancer.Value,
            Name = backend.Name,
            Members = { backend.Members.Select(ToMessage) },
            MembersManaged = backend.MembersManaged,
            CountsAnswers = backend.CountsAnswers,
        };

    private static V1.Member ToMessage(Member member) => new()
    {
        Name = member.Name,
        Address = member.Address,
        State = ToMessage(member.State),
        Status = member.Status,
        Weight = (uint)member.Weight,
        Sessions = (uint)member.Sessions,
        Queued = (uint)member.Queued,
        SessionsTotal = (ulong)member.SessionsTotal,
        Responses5Xx = (ulong)member.Responses5xx,
        ConnectionErrors = (ulong)member.ConnectionErrors,
        ResponseErrors = (ulong)member.ResponseErrors,
        LastCheck = member.LastCheck,
        ResponsesTotal = (ulong)member.ResponsesTotal,
        ResponseTimeMs = member.ResponseTimeMs,
        ResponseTimeWindow = (uint)member.ResponseTimeWindow,
        LongLived = (uint)member.LongLived,
    };

    private static V1.MemberState ToMessage(MemberState state) => state switch
    {
        MemberState.Ready => V1.MemberState.Ready,
        MemberState.Draining => V1.MemberState.Draining,
        MemberState.Maintenance => V1.MemberState.Maintenance,
        MemberState.Down => V1.MemberState.Down,
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, null),
    };
}
