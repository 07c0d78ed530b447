using System.Text.Json.Nodes;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>
/// The <c>reverse_proxy</c> handler of a backend in Caddy's configuration. A member is an upstream with <c>"@id": "BACKEND/MEMBER"</c> (its
/// weight after another slash when it is not full); Caddy 2.6 has no weights, so a share is had by naming an upstream several times.
/// </summary>
/// <remarks>
/// Caddy forgets an upstream that no handler names, with the count of its requests in flight. Members that are out are therefore
/// named by handlers of their own which no request reaches: behind a <c>handle_response</c> for a status that no answer has. So the count
/// goes on, and Caddy itself remembers, also when it saves its configuration, who is out and why.
/// </remarks>
internal static class CaddyHandler
{
    private const string Id = "@id";

    /// <summary>By 0 of Caddy's rule "below 100 means that hundred" no status is negative.</summary>
    private const int NoStatus = -1;

    /// <summary>Policies by which repeating an upstream gives it a greater share.</summary>
    private static readonly string[] Shareable = ["random", "round_robin", "random_choose"];

    /// <summary>Its members: those in rotation first.</summary>
    /// <exception cref="FormatException">It is not such a handler.</exception>
    public static MemberTable Read(MemberName backend, JsonObject handler)
    {
        if (Text(handler["handler"]) != "reverse_proxy") throw new FormatException($"the object with @id {backend} is not a handler \"reverse_proxy\"");
        if (handler["dynamic_upstreams"] is not null) throw new FormatException($"handler {backend} has dynamic_upstreams: Caddy finds its members itself");
        var members = new List<TableMember>();
        Add(members, backend, handler["upstreams"], MemberState.Ready);
        foreach (var state in new[] { MemberState.Draining, MemberState.Maintenance })
            Add(members, backend, ParkedHandlers(handler, backend).FirstOrDefault(h => Text(h[Id]) == ParkedId(backend, state))?["upstreams"], state);
        return new MemberTable(members);
    }

    /// <summary>The handler with other members; everything else of it stays as it is.</summary>
    /// <exception cref="FormatException">Shares differ, and its policy does not go by the number of an upstream's mentions.</exception>
    public static JsonObject Write(MemberName backend, JsonObject handler, MemberTable table)
    {
        var written = handler.DeepClone().AsObject();
        var ready = table.Members.Where(m => !m.IsOut).ToList();
        if (ready.Select(m => m.Weight).Distinct().Count() > 1 && Text(Child(Child(written["load_balancing"], "selection_policy"), "policy")) is { } policy && !Shareable.Contains(policy))
            throw new FormatException($"its policy {policy} does not know shares; {string.Join(", ", Shareable)} do");

        written["upstreams"] = Upstreams(backend, ready);
        var others = (written["handle_response"] as JsonArray ?? []).Where(r => !IsParking(r, backend)).Select(r => r?.DeepClone()).ToList();
        var parked = new[] { MemberState.Draining, MemberState.Maintenance }
            .Where(state => table.Members.Any(m => m.State == state))
            .Select(JsonNode (state) => new JsonObject
            {
                ["handle"] = new JsonArray(new JsonObject
                {
                    [Id] = ParkedId(backend, state),
                    ["handler"] = "reverse_proxy",
                    ["upstreams"] = Upstreams(backend, [.. table.Members.Where(m => m.State == state)]),
                }),
            })
            .ToArray();
        if (parked.Length > 0)
        {
            others.Add(new JsonObject
            {
                ["match"] = new JsonObject { ["status_code"] = new JsonArray(NoStatus) },
                ["routes"] = new JsonArray(parked),
            });
        }

        written.Remove("handle_response");
        if (others.Count > 0) written["handle_response"] = new JsonArray([.. others]);
        return written;
    }

    /// <summary>Ids of all reverse proxies in a configuration that have one.</summary>
    public static IEnumerable<string> Backends(JsonNode? node)
    {
        var below = node switch
        {
            JsonObject found => found.Where(p => p.Key != "handle_response" || Text(found["handler"]) != "reverse_proxy").Select(p => p.Value),
            JsonArray list => list,
            _ => [],
        };
        var own = node is JsonObject proxy && Text(proxy["handler"]) == "reverse_proxy" && Text(proxy[Id]) is { } id ? [id] : Enumerable.Empty<string>();
        return own.Concat(below.SelectMany(Backends));
    }

    private static void Add(List<TableMember> members, MemberName backend, JsonNode? upstreams, MemberState state)
    {
        foreach (var upstream in (upstreams as JsonArray ?? []).OfType<JsonObject>())
        {
            var dial = Text(upstream["dial"]) ?? "";
            // Further mentions of one that was there: its share.
            if (members.Any(m => m.Address == dial && m.State == state)) continue;
            var words = Text(upstream[Id])?.Split('/') ?? [];
            var named = words.Length is 2 or 3 && words[0] == backend.Value && MemberName.TryParse(words[1], out var written, out _) ? written : null;
            var weight = named is not null && words.Length == 3 && int.TryParse(words[2], out var share) && share is >= 1 and <= 100 ? share : PutIn.FullWeight;
            var name = named ?? TableMember.NameOf(dial);
            if (members.Any(m => m.Name == name)) throw new FormatException($"handler {backend} has two members {name}");
            var options = upstream.DeepClone().AsObject();
            options.Remove(Id);
            options.Remove("dial");
            members.Add(new TableMember(name, dial, state, weight, options.Count == 0 ? "" : options.ToJsonString()));
        }
    }

    private static JsonArray Upstreams(MemberName backend, IReadOnlyList<TableMember> members)
    {
        var unit = members.Select(m => m.Weight).Aggregate(0, GreatestCommonDivisor);
        return new JsonArray([.. members.SelectMany(m => Enumerable.Range(0, m.Weight / unit).Select(JsonNode (mention) => Upstream(backend, m, mention)))]);
    }

    private static JsonObject Upstream(MemberName backend, TableMember member, int mention)
    {
        var upstream = member.Options.Length == 0 ? [] : JsonNode.Parse(member.Options)!.AsObject();
        upstream["dial"] = member.Address;
        // An id is there once in a configuration.
        if (mention == 0) upstream[Id] = member.Weight == PutIn.FullWeight ? $"{backend}/{member.Name}" : $"{backend}/{member.Name}/{member.Weight}";
        return upstream;
    }

    private static IEnumerable<JsonObject> ParkedHandlers(JsonObject handler, MemberName backend)
        => (handler["handle_response"] as JsonArray ?? [])
            .Where(r => IsParking(r, backend))
            .SelectMany(r => Child(r, "routes") as JsonArray ?? [])
            .SelectMany(r => (Child(r, "handle") as JsonArray ?? []).OfType<JsonObject>());

    private static bool IsParking(JsonNode? response, MemberName backend)
        => Child(response, "routes") is JsonArray routes
            && routes.Any(r => Text(Child((Child(r, "handle") as JsonArray)?.FirstOrDefault(), Id))?.StartsWith($"decant/{backend}/", StringComparison.Ordinal) == true);

    private static string ParkedId(MemberName backend, MemberState state) => $"decant/{backend}/{(state == MemberState.Draining ? "draining" : "maintenance")}";

    /// <summary>What an object has under a key; null also for what is no object.</summary>
    private static JsonNode? Child(JsonNode? node, string key) => (node as JsonObject)?[key];

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static int GreatestCommonDivisor(int one, int two) => two == 0 ? one : GreatestCommonDivisor(two, one % two);
}
