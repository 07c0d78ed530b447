using System.Text.Json;
using System.Text.Json.Serialization;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>What the program of a command balancer prints (decant-balancer(7)). Throws <see cref="FormatException"/> for what is no such thing.</summary>
internal static class CommandReplies
{
    /// <summary>The answer to <c>backend</c>.</summary>
    public static Backend Backend(string name, string json)
    {
        var members = Parse(json, CommandJson.Default.CommandBackend).Members ?? throw new FormatException("it has no \"members\"");
        var read = members.Select(ToMember).ToList();
        if (read.GroupBy(m => m.Name).FirstOrDefault(g => g.Count() > 1) is { } twice) throw new FormatException($"member \"{twice.Key}\" is there twice");
        return new Backend(name, read, CountsAnswers: members.Count > 0 && members.TrueForAll(m => m is { Answers: not null, Errors: not null }));
    }

    /// <summary>The answer to <c>backends</c>.</summary>
    public static CommandBackends Backends(string json)
    {
        var read = Parse(json, CommandJson.Default.CommandBackends);
        return read is { Version: not null, Backends: not null } && read.Backends.TrueForAll(b => b is not null) ? read : throw new FormatException("it has no \"version\", or no list of names as \"backends\"");
    }

    private static Member ToMember(CommandMember? member)
    {
        if (member is null) throw new FormatException("a member is null");
        if (!MemberName.TryParse(member.Name, out var name, out var reason)) throw new FormatException($"a member's name is none: {reason}");
        if (member.InFlight is not { } inFlight || inFlight < 0) throw new FormatException($"\"in_flight\" of {name} is not a number from 0");
        if (member.Weight is < 0 or > PutIn.FullWeight) throw new FormatException($"\"weight\" of {name} is not from 0 to {PutIn.FullWeight}");
        if (member is { Answers: < 0 } or { Errors: < 0 } or { ResponseTimeMs: < 0 }) throw new FormatException($"a counter or a time of {name} is negative");
        return new Member
        {
            Name = name.Value,
            Address = member.Address ?? "",
            State = member.State switch
            {
                "ready" => MemberState.Ready,
                "draining" => MemberState.Draining,
                "maintenance" => MemberState.Maintenance,
                "down" => MemberState.Down,
                _ => throw new FormatException($"\"state\" of {name} is \"{Printable.Line(member.State ?? "")}\": neither ready, draining, maintenance nor down"),
            },
            Status = member.Status ?? member.State,
            Weight = member.Weight ?? PutIn.FullWeight,
            Sessions = inFlight,
            ResponsesTotal = member.Answers ?? 0,
            Responses5xx = member.Errors ?? 0,
            ResponseTimeMs = member.ResponseTimeMs ?? 0,
        };
    }

    private static T Parse<T>(string json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new FormatException("it is null");
        }
        catch (JsonException exception)
        {
            throw new FormatException($"it is not the JSON that is asked for: {Printable.Line(exception.Message)}", exception);
        }
    }
}

/// <summary>A backend as the program prints it.</summary>
internal sealed record CommandBackend(List<CommandMember?>? Members);

/// <summary>A member as the program prints it.</summary>
internal sealed record CommandMember(
    string? Name, string? Address, string? State, string? Status, int? Weight, int? InFlight, long? Answers, long? Errors, double? ResponseTimeMs);

/// <summary>What the program drives.</summary>
internal sealed record CommandBackends(string? Version, List<string>? Backends);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(CommandBackend))]
[JsonSerializable(typeof(CommandBackends))]
internal sealed partial class CommandJson : JsonSerializerContext;
