using System.Text.Json;

namespace Decant.EndToEnd.Harness;

/// <summary>The keys of a manifest as its JSON schema has them.</summary>
internal static class SchemaKeys
{
    /// <summary>Every key by its path (<c>hosts.*.port</c>, <c>slot.port</c>) with its default; null: it has none.</summary>
    public static IEnumerable<(string Path, string? Default)> Of(JsonElement schema) => Keys(schema, schema, "");

    private static IEnumerable<(string Path, string? Default)> Keys(JsonElement root, JsonElement schema, string path)
    {
        var at = Resolved(root, schema);
        if (at.TryGetProperty("properties", out var properties))
        {
            foreach (var property in properties.EnumerateObject())
            {
                var inner = path.Length == 0 ? property.Name : $"{path}.{property.Name}";
                yield return (inner, DefaultOf(root, property.Value));
                foreach (var key in Keys(root, property.Value, inner)) yield return key;
            }
        }
        // Hosts and balancers have names of their own; env has any, and nothing below them.
        else if (at.TryGetProperty("additionalProperties", out var named) && named.ValueKind == JsonValueKind.Object && named.TryGetProperty("$ref", out _))
        {
            foreach (var key in Keys(root, named, $"{path}.*")) yield return key;
        }
    }

    private static string? DefaultOf(JsonElement root, JsonElement schema)
    {
        if (schema.TryGetProperty("default", out var own)) return own.ToString().Replace("True", "true", StringComparison.Ordinal);
        return schema.TryGetProperty("$ref", out _) ? DefaultOf(root, Resolved(root, schema)) : null;
    }

    private static JsonElement Resolved(JsonElement root, JsonElement schema) => schema.TryGetProperty("$ref", out var reference)
        ? root.GetProperty("$defs").GetProperty(reference.GetString()!.Split('/')[^1])
        : schema;
}
