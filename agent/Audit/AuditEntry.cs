using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Decant.Agent.Audit;

/// <summary>One line of the audit log; see audit.proto.</summary>
/// <param name="At">When.</param>
/// <param name="Number">Of the call.</param>
/// <param name="Event">What happened.</param>
/// <param name="Caller">Who.</param>
/// <param name="Serial">Its certificate; empty: none.</param>
/// <param name="From">Where the caller is.</param>
/// <param name="Call">The call.</param>
/// <param name="App">The app; empty: none.</param>
/// <param name="Operation">The operation's id; empty: none.</param>
/// <param name="Deployment">The deployment's id; empty: none.</param>
/// <param name="Outcome">How it ended; empty: it began.</param>
internal sealed record AuditEntry(
    DateTimeOffset At, ulong Number, AuditEvent Event, string Caller, string Serial, string From, string Call, string App, string Operation, string Deployment, string Outcome)
{
    /// <summary>As a line of JSON, without its end.</summary>
    public string ToLine()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("at", At.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            writer.WriteNumber("number", Number);
            writer.WriteString("event", Event switch { AuditEvent.Began => "began", AuditEvent.Ended => "ended", _ => "refused" });
            foreach (var (name, value) in (ReadOnlySpan<(string, string)>)
                [("caller", Caller), ("serial", Serial), ("from", From), ("call", Call), ("app", App), ("operation", Operation), ("deployment", Deployment), ("outcome", Outcome)])
            {
                if (value.Length > 0) writer.WriteString(name, value);
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Reads a line; null: it is none, as the last one may be after the machine went down.</summary>
    public static AuditEntry? OfLine(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            return new AuditEntry(
                root.GetProperty("at").GetDateTimeOffset(),
                root.GetProperty("number").GetUInt64(),
                Text("event") switch { "began" => AuditEvent.Began, "ended" => AuditEvent.Ended, _ => AuditEvent.Refused },
                Text("caller"),
                Text("serial"),
                Text("from"),
                Text("call"),
                Text("app"),
                Text("operation"),
                Text("deployment"),
                Text("outcome"));

            string Text(string name) => root.TryGetProperty(name, out var value) ? value.GetString() ?? "" : "";
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            return null;
        }
    }
}

/// <summary>What an entry says of its call.</summary>
internal enum AuditEvent
{
    /// <summary>It was allowed, and is done now.</summary>
    Began,

    /// <summary>It ended.</summary>
    Ended,

    /// <summary>It was refused to the caller.</summary>
    Refused,
}
