using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using Decant.Errors;

namespace Decant.Names;

/// <summary>Where a balancer sends to: an IP address or host name with a port, <c>10.0.0.1:4000</c>, <c>[::1]:4000</c>.</summary>
public sealed record MemberAddress
{
    private MemberAddress(string host, int port) => (Host, Port) = (host, port);

    /// <summary>IP address (IPv6 without brackets) or host name.</summary>
    public string Host { get; }

    /// <summary>1 to 65535.</summary>
    public int Port { get; }

    /// <summary>Reads an address; <paramref name="reason"/> says in a sentence why it is not one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out MemberAddress? value, [NotNullWhen(false)] out string? reason)
    {
        value = null;
        reason = null;
        var colon = text?.LastIndexOf(':') ?? -1;
        if (colon <= 0 || !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port is < 1 or > 65_535)
        {
            reason = $"address \"{Printable.Line(text ?? "")}\" is not host:port";
            return false;
        }

        var host = text![..colon];
        if (host is ['[', .., ']']) host = host[1..^1];
        var valid = IPAddress.TryParse(host, out var address) && (host.Contains(':', StringComparison.Ordinal) == (text[0] == '['))
            || (text[0] != '[' && host.Length <= 253 && host.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_'));
        if (!valid)
        {
            reason = $"address \"{Printable.Line(text)}\": the part before the port is neither an IP address nor a host name";
            return false;
        }

        value = new MemberAddress(address?.ToString() ?? host, port);
        return true;
    }

    /// <summary>Reads an address.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static MemberAddress Parse(string? text) => TryParse(text, out var value, out var reason) ? value : throw new FormatException(reason);

    /// <inheritdoc/>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
