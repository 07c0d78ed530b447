using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace Decant.Controller.Fleet;

/// <summary>
/// Where an agent listens: <c>host:port</c> (with TLS), <c>name=host:port</c> (the same through a tunnel, by the name in its certificate),
/// <c>http://127.0.0.1:port</c> (without TLS, on loopback only), or <c>unix:/path/to/socket</c>.
/// </summary>
public sealed record AgentAddress
{
    /// <summary>The port of an agent when the manifest names none.</summary>
    public const int DefaultPort = 7420;

    private const string Plain = "http://";

    private AgentAddress(string value, string? socketPath, string host, int port, string? certifiedName)
    {
        Value = value;
        SocketPath = socketPath;
        Host = host;
        Port = port;
        CertifiedName = certifiedName;
    }

    /// <summary>As the manifest has it, the default port filled in.</summary>
    public string Value { get; }

    /// <summary>Path of the unix socket, or null for TCP.</summary>
    public string? SocketPath { get; }

    /// <summary>Host name or IP address; empty for a unix socket.</summary>
    public string Host { get; }

    /// <summary>TCP port; 0 for a unix socket.</summary>
    public int Port { get; }

    /// <summary>The host name or IP address that its certificate must be for; null: it has none, on a unix socket or without TLS.</summary>
    public string? CertifiedName { get; }

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
            if (text[5..].StartsWith('/')) value = new AgentAddress(text, text[5..], "", 0, null);
            else reason = $"\"{text}\": the path of a unix socket must be absolute, as in unix:/run/decant/decantd.sock";
        }
        else if (text.StartsWith(Plain, StringComparison.Ordinal))
        {
            if (HostAndPort(text[Plain.Length..]) is not var (host, port)) reason = NotAnAddress(text);
            else if (host is "localhost" || (IPAddress.TryParse(host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip))) value = new AgentAddress($"{Plain}{host}:{port}", null, host, port, null);
            else reason = $"\"{text}\" is without TLS, which is for 127.0.0.1 only; write {host}:{port}";
        }
        else
        {
            var name = text.IndexOf('=', StringComparison.Ordinal);
            var certified = name < 0 ? null : text[..name];
            if (certified is not null && !HostName.TryParse(certified, out _, out _)) reason = NotAnAddress(text);
            else if (HostAndPort(text[(name + 1)..]) is not var (host, port)) reason = NotAnAddress(text);
            else value = new AgentAddress($"{(certified is null ? "" : $"{certified}=")}{host}:{port}", null, host, port, certified ?? host.Trim('[', ']'));
        }

        return value is not null;
    }

    /// <summary>Reads an address.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static AgentAddress Parse(string? text) => TryParse(text, out var value, out var reason) ? value : throw new FormatException(reason);

    /// <inheritdoc/>
    public override string ToString() => Value;

    private static string NotAnAddress(string text) => $"\"{text}\" is not an agent address; write host:port or unix:/path";

    private static (string Host, int Port)? HostAndPort(string text)
    {
        if (!Uri.TryCreate($"http://{text}", UriKind.Absolute, out var uri) || uri.PathAndQuery != "/" || uri.UserInfo.Length > 0
            || uri.Fragment.Length > 0 || uri.Port == 0 || text.Any(c => char.IsControl(c) || char.IsWhiteSpace(c)))
        {
            return null;
        }

        return (uri.Host, text.EndsWith($":{uri.Port}", StringComparison.Ordinal) ? uri.Port : DefaultPort);
    }
}
