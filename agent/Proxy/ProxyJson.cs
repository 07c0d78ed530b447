using System.Text.Json.Serialization;
using Decant.Agent.Balancers;
using Decant.Names;

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
    long DeadlineMs)
{
    /// <summary>Nobody waits for longer.</summary>
    public static readonly TimeSpan MaxDeadline = TimeSpan.FromDays(1);

    /// <summary>The change that is asked for.</summary>
    /// <exception cref="FormatException">There is none such.</exception>
    public ProxyChange ToChange() => new(
        [.. Into.Select(m => m is null ? throw new FormatException("a member is null") : new PutIn(
            MemberName.Parse(m.Member), m.Address is null ? null : MemberAddress.Parse(m.Address), Math.Clamp(m.Weight, 1, PutIn.FullWeight)))],
        [.. OutOf.Select(MemberName.Parse)],
        [.. Maintenance.Select(MemberName.Parse)],
        [.. Remove.Select(MemberName.Parse)],
        MinOthersUp >= 0 ? MinOthersUp : throw new FormatException("min_others_up is negative"),
        TimeSpan.FromMilliseconds(Math.Clamp(DeadlineMs, 0, MaxDeadline.TotalMilliseconds)));
}

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
