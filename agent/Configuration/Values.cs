using System.Globalization;
using System.Net;
using System.Text;
using Decant.Names;

namespace Decant.Agent.Configuration;

/// <summary>How each kind of value in agent.yml is read, and why a text is none.</summary>
internal static class Values
{
    /// <summary>sockaddr_un.sun_path has 108 bytes with its terminator, unix(7).</summary>
    private const int MaxSocketPath = 107;

    public static Read<string> Host(string text)
        => text.Length is > 0 and <= 253 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_')
            ? text
            : Read<string>.Not($"\"{text}\" is not a host name: 1 to 253 letters, digits, '.', '-' and '_'");

    public static Read<string> AbsolutePath(string text)
        => Path.IsPathFullyQualified(text) && !text.Contains('\0', StringComparison.Ordinal)
            ? Path.TrimEndingDirectorySeparator(Path.GetFullPath(text))
            : Read<string>.Not($"\"{text}\" must be an absolute path");

    public static Read<string?> AbsolutePathOrNull(string text)
    {
        var path = AbsolutePath(text);
        return new Read<string?>(path.Value, path.Problem);
    }

    /// <summary>A path, or "off": null.</summary>
    public static Read<string?> UnixSocket(string text)
    {
        if (IsOff(text)) return new Read<string?>(null, null);
        var path = AbsolutePathOrNull(text);
        return path.Problem is null && Encoding.UTF8.GetByteCount(path.Value!) > MaxSocketPath
            ? Read<string?>.Not($"\"{text}\" is too long for a unix socket: at most {MaxSocketPath} bytes")
            : path;
    }

    /// <summary>A path for a unix socket that cannot be done without.</summary>
    public static Read<string> SocketPath(string text)
    {
        var path = UnixSocket(text);
        return path.Problem is null && path.Value is null ? Read<string>.Not("cannot be off") : new Read<string>(path.Value, path.Problem);
    }

    /// <summary>An IP address with a port, or "off": null.</summary>
    public static Read<IPEndPoint?> Address(string text)
    {
        if (IsOff(text)) return new Read<IPEndPoint?>(null, null);
        var colon = text.LastIndexOf(':');
        var host = colon < 0 ? "" : text[..colon];
        if (colon < 0 || Integer(1, 65535)(text[(colon + 1)..]) is not { Problem: null, Value: var port })
            return Read<IPEndPoint?>.Not($"\"{text}\" is not address:port, for example 127.0.0.1:7420 or [::1]:7420");

        if (host is "localhost") return new IPEndPoint(IPAddress.Loopback, port);
        var literal = host is ['[', .., ']'] ? host[1..^1] : host;
        return IPAddress.TryParse(literal, out var address) && (address.AddressFamily != System.Net.Sockets.AddressFamily.InterNetworkV6 || host != literal)
            ? new IPEndPoint(address, port)
            : Read<IPEndPoint?>.Not($"\"{host}\" is not an IP address: write 127.0.0.1, [::1] or localhost");
    }

    /// <summary>IP addresses, separated by spaces or commas.</summary>
    public static Read<IReadOnlyList<IPAddress>> IpAddresses(string text)
    {
        var addresses = new List<IPAddress>();
        foreach (var word in text.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries))
        {
            if (!IPAddress.TryParse(word, out var address)) return Read<IReadOnlyList<IPAddress>>.Not($"\"{word}\" is not an IP address");
            addresses.Add(address);
        }

        return new Read<IReadOnlyList<IPAddress>>(addresses, null);
    }

    public static Read<int> Port(string text) => Integer(1, 65535)(text);

    public static Func<string, Read<int>> Integer(int min, int max) => text
        => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
            ? number
            : Read<int>.Not($"\"{text}\" is not a whole number from {min} to {max}");

    public static Func<string, Read<long>> Bytes(long min, long max) => text => Quantity.Bytes(text) switch
    {
        null => Read<long>.Not($"\"{text}\" is not a size; write 512MiB (B, KiB, MiB, GiB, TiB)"),
        { } bytes when bytes < min || bytes > max => Read<long>.Not($"{text} is not within {Quantity.Shown(min)} to {Quantity.Shown(max)}"),
        { } bytes => bytes,
    };

    public static Func<string, Read<TimeSpan>> Time(TimeSpan min, TimeSpan max) => text => Quantity.Time(text) switch
    {
        null => Read<TimeSpan>.Not($"\"{text}\" is not a time with its unit; write 500ms, 1s, 5m, 2h or 1d"),
        { } time when time < min || time > max => Read<TimeSpan>.Not($"{text} is not within {Quantity.Shown(min)} to {Quantity.Shown(max)}"),
        { } time => time,
    };

    /// <summary>Kinds of balancers that the agent drives.</summary>
    public static readonly IReadOnlyList<string> BalancerKinds = ["haproxy", "nginx", "caddy", "embedded", "agent-check", "command"];

    public static Read<string?> BalancerKind(string text)
        => BalancerKinds.Contains(text)
            ? new Read<string?>(text, null)
            : Read<string?>.Not($"\"{text}\" is no kind of balancer that this version drives; known: {string.Join(", ", BalancerKinds)}");

    public static Read<MemberManagement> Members(string text) => text switch
    {
        "fixed" => MemberManagement.Fixed,
        "managed" => MemberManagement.Managed,
        _ => Read<MemberManagement>.Not($"\"{text}\" is neither fixed (the balancer's own configuration has the members) nor managed (the agent makes them)"),
    };

    /// <summary>Where Caddy's admin API is: <c>http://host:port</c>, or a unix socket by its path (also as Caddy writes it, <c>unix//path</c>).</summary>
    public static Read<BalancerSettings.Caddy> CaddyAdmin(string text)
    {
        var path = text.StartsWith("unix//", StringComparison.Ordinal) ? text[5..] : text;
        if (path.StartsWith('/'))
        {
            var socket = UnixSocket(path);
            return socket.Problem is null ? new BalancerSettings.Caddy(new Uri("http://127.0.0.1"), socket.Value) : Read<BalancerSettings.Caddy>.Not(socket.Problem);
        }

        return Uri.TryCreate(text, UriKind.Absolute, out var address) && address is { Scheme: "http", PathAndQuery: "/", Fragment: "", UserInfo: "" }
            ? new BalancerSettings.Caddy(address)
            : Read<BalancerSettings.Caddy>.Not($"\"{text}\" is neither http://host:port nor the path of a unix socket");
    }

    /// <summary>They become part of a command line of HAProxy's runtime API, which a line end or ';' would end.</summary>
    public static Read<string> HaproxyOptions(string text)
        => text.Any(c => char.IsControl(c) || c == ';')
            ? Read<string>.Not("has a character that ends HAProxy's command")
            : text.Trim();

    public static Read<SupervisorKind> Supervisor(string text) => text switch
    {
        "auto" => SupervisorKind.Auto,
        "process" => SupervisorKind.Process,
        "systemd" => SupervisorKind.Systemd,
        _ => Read<SupervisorKind>.Not($"\"{text}\" is not a supervisor; known: auto, systemd, process"),
    };

    public static Read<LogLevel> Level(string text) => text switch
    {
        "trace" => LogLevel.Trace,
        "debug" => LogLevel.Debug,
        "information" => LogLevel.Information,
        "warning" => LogLevel.Warning,
        "error" => LogLevel.Error,
        _ => Read<LogLevel>.Not($"\"{text}\" is not a level; known: trace, debug, information, warning, error"),
    };

    public static Read<LogFormat> Format(string text) => text switch
    {
        "text" => LogFormat.Text,
        "json" => LogFormat.Json,
        _ => Read<LogFormat>.Not($"\"{text}\" is not a format; known: text, json"),
    };

    public static Read<RoleName> Role(string text)
        => RoleName.TryParse(text, out var role, out var reason) ? role : Read<RoleName>.Not(reason);

    public static Read<MemberName> Backend(string text)
        => MemberName.TryParse(text, out var name, out var reason) ? name : Read<MemberName>.Not(reason);

    /// <summary>Whether it stands for "none".</summary>
    public static bool IsOff(string text) => text is "off" or "false";
}
