using System.Diagnostics.CodeAnalysis;

namespace Decant.Controller.Fleet;

/// <summary>Where an agent listens: <c>host:port</c>, or <c>unix:/path/to/socket</c>.</summary>
public sealed record AgentAddress
{
    /// <summary>The port of an agent when the manifest names none.</summary>
    public const int DefaultPort = 7420;

    private AgentAddress(string value, string? socketPath, string host, int port)
    {
        Value = value;
        SocketPath = socketPath;
        Host = host;
        Port = port;
    }

    /// <summary>As the manifest has it, the default port filled in.</summary>
    public string Value { get; }

    /// <summary>Path of the unix socket, or null for TCP.</summary>
    public string? SocketPath { get; }

    /// <summary>Host name or IP address; empty for a unix socket.</summary>
    public string Host { get; }

    /// <summary>TCP port; 0 for a unix socket.</summary>
    public int Port { get; }

    /// <summary>Reads an address; <paramref name="reason"/> says in a sentence why it is not one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out AgentAddress? value, [NotNullWhen(false)] out string? reason)
    {
        value = null;
        reason = null;
        if (string.IsNullOrWhiteSpace(text))
        {
            reason = "agent address is missing";
        }
        else if (text.StartsWith("unix:", StringComparison.Ordinal))
        {
            if (text[5..].StartsWith('/')) value = new AgentAddress(text, text[5..], "", 0);
            else reason = $"\"{text}\": the path of a unix socket must be absolute, as in unix:/run/decant/decantd.sock";
        }
        else if (!Uri.TryCreate($"http://{text}", UriKind.Absolute, out var uri) || uri.PathAndQuery != "/" || uri.UserInfo.Length > 0
            || uri.Fragment.Length > 0 || uri.Port == 0 || text.Any(c => char.IsControl(c) || char.IsWhiteSpace(c)))
        {
            reason = $"\"{text}\" is not an agent address; write host:port or unix:/path";
        }
        else
        {
            var port = text.EndsWith($":{uri.Port}", StringComparison.Ordinal) ? uri.Port : DefaultPort;
            value = new AgentAddress($"{uri.Host}:{port}", null, uri.Host, port);
        }

        return value is not null;
    }

    /// <summary>Reads an address.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static AgentAddress Parse(string? text) => TryParse(text, out var value, out var reason) ? value : throw new FormatException(reason);

    /// <inheritdoc/>
    public override string ToString() => Value;
}
