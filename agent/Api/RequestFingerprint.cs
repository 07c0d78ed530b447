using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.Collections;

namespace Decant.Agent.Api;

/// <summary>Tells a repeated request from another one under the same operation id.</summary>
internal static class RequestFingerprint
{
    /// <summary>
    /// SHA-256 of the request without its operation's id, which both have, and its fencing token, which says who asks; its deployment counts: a
    /// migration is done once for each. Map fields have no order on the wire (protobuf.dev, "Serialization Is Not Canonical"), so it hashes a
    /// text with the fields by number and map entries by key.
    /// </summary>
    public static string Of(IMessage request)
    {
        var text = new StringBuilder();
        Append(text, request);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private static void Append(StringBuilder text, IMessage message)
    {
        text.Append(message.Descriptor.FullName).Append('{');
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            if (message is V1.OperationRef && field.FieldNumber is V1.OperationRef.IdFieldNumber or V1.OperationRef.FencingTokenFieldNumber) continue;
            if (field.HasPresence && !field.Accessor.HasValue(message)) continue;
            text.Append(field.FieldNumber).Append(':');
            AppendValue(text, field.Accessor.GetValue(message));
            text.Append(';');
        }

        text.Append('}');
    }

    private static void AppendValue(StringBuilder text, object? value)
    {
        switch (value)
        {
            case IMessage message:
                Append(text, message);
                break;
            case MapField<string, string> map:
                foreach (var (name, entry) in map.OrderBy(e => e.Key, StringComparer.Ordinal))
                    text.Append(name.Length).Append('=').Append(name).Append(entry.Length).Append('=').Append(entry);
                break;
            case string plain:
                text.Append(plain.Length).Append('=').Append(plain);
                break;
            default:
                text.Append(value);
                break;
        }
    }
}
