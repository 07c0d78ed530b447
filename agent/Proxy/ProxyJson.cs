using System.Text.Json.Serialization;
using Decant.Agent.Balancers;

namespace Decant.Agent.Proxy;

/// <summary>What goes over the proxy's admin socket and into its state file.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ProxyInfo))]
[JsonSerializable(typeof(BackendView))]
[JsonSerializable(typeof(MemberView))]
[JsonSerializable(typeof(ChangeRequest))]
[JsonSerializable(typeof(ChangeReply))]
[JsonSerializable(typeof(CloseRequest))]
[JsonSerializable(typeof(RefusalReply))]
[JsonSerializable(typeof(StateDocument))]
internal sealed partial class ProxyJson : JsonSerializerContext
{
    /// <summary>A state as it is written.</summary>
    public static string Word(MemberState state) => state switch
    {
        MemberState.Ready => "ready",
        MemberState.Draining => "draining",
        MemberState.Maintenance => "maintenance",
        MemberState.Down => "down",
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, null),
    };

    /// <summary>A state as it is read.</summary>
    /// <exception cref="FormatException">There is none of that name.</exception>
    public static MemberState State(string word) => word switch
    {
        "ready" => MemberState.Ready,
        "draining" => MemberState.Draining,
        "maintenance" => MemberState.Maintenance,
        "down" => MemberState.Down,
        _ => throw new FormatException($"\"{word}\" is not a member's state"),
    };
}

/// <summary>GET /.</summary>
internal sealed record ProxyInfo(string Version, int Pid, IReadOnlyList<string> Backends);

/// <summary>GET /backends/NAME.</summary>
internal sealed record BackendView(string Name, IReadOnlyList<MemberView> Members);

/// <summary>A member, as it is now; counters since the proxy's start.</summary>
internal sealed record MemberView(
    string Name,
    string Address,
    string State,
    int Weight,
    int InFlight,
    int LongLived,
    long Requests,
    long Answers,
    long Answers5xx,
    long ConnectionErrors,
    long AnswerErrors,
    long LongLivedClosed,
    double AverageMs,
    string LastCheck)
{
    /// <summary>Looks at a member.</summary>
    public static MemberView Of(ProxyMember member) => new(
        member.Name.Value,
        member.Upstream.Address.ToString(),
        ProxyJson.Word(member.State),
        member.Weight,
        member.InFlight,
        member.LongLived.Count,
        member.Counters.Requests,
        member.Counters.Answers,
        member.Counters.Answers5xx,
        member.Counters.ConnectionErrors,
        member.Counters.AnswerErrors,
        member.Counters.LongLivedClosed,
        member.Counters.AverageMs,
        member.LastCheck);
}

/// <summary>POST /backends/NAME/change.</summary>
internal sealed record ChangeRequest(
    IReadOnlyList<ChangeInto> Into,
    IReadOnlyList<string> OutOf,
    IReadOnlyList<string> Maintenance,
    IReadOnlyList<string> Remove,
    int MinOthersUp,
    long DeadlineMs);

/// <summary>A member that is put in.</summary>
internal sealed record ChangeInto(string Member, string? Address, int Weight);

/// <summary>What the change came to, and the members after it.</summary>
internal sealed record ChangeReply(bool Unchanged, BackendView Backend);

/// <summary>POST /backends/NAME/members/NAME/close.</summary>
internal sealed record CloseRequest(long SpreadMs);

/// <summary>Anything else than 200.</summary>
internal sealed record RefusalReply(string Reason, string Message, string WhatNext);

/// <summary>The state file.</summary>
internal sealed record StateDocument(IReadOnlyList<StateBackend> Backends);

/// <summary>A backend in it.</summary>
internal sealed record StateBackend(string Name, IReadOnlyList<StateMember> Members);

/// <summary>A member of it.</summary>
internal sealed record StateMember(string Name, string Address, int Weight, string State);
