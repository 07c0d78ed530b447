using System.Globalization;
using Decant.Agent.Configuration;
using Decant.Certificates;

namespace Decant.Agent.Security;

/// <summary>Tokens that did their work, until they would have expired: one line each, the token's id and the time in Unix seconds.</summary>
internal static class UsedTokens
{
    /// <summary>Whether it has been used here.</summary>
    public static bool Has(TlsSettings settings, JoinToken token)
        => Read(settings).Any(line => line.StartsWith(Convert.ToHexStringLower(token.Id.Span), StringComparison.Ordinal));

    /// <summary>Remembers one.</summary>
    public static void Add(TlsSettings settings, JoinToken token, DateTimeOffset now)
        => Write(settings, Living(settings, now).Append($"{Convert.ToHexStringLower(token.Id.Span)} {token.ExpiresAt.ToUnixTimeSeconds()}"));

    /// <summary>Forgets those that have expired.</summary>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    public static void Forget(TlsSettings settings, DateTimeOffset now) => Write(settings, Living(settings, now));

    private static IEnumerable<string> Living(TlsSettings settings, DateTimeOffset now)
        => Read(settings).Where(line => line.Split(' ') is [_, var time] && long.TryParse(time, CultureInfo.InvariantCulture, out var until) && until > now.ToUnixTimeSeconds());

    private static void Write(TlsSettings settings, IEnumerable<string> lines) => HostFiles.Write(File(settings), string.Concat(lines.Select(line => line + "\n")));

    private static string[] Read(TlsSettings settings) => System.IO.File.Exists(File(settings)) ? System.IO.File.ReadAllLines(File(settings)) : [];

    private static string File(TlsSettings settings) => Path.Combine(settings.Directory, "used-tokens");
}
