using System.Globalization;
using System.Net;
using Decant.Agent.Instances;
using Decant.EndToEnd.Harness;

namespace Decant.Agent.Tests;

/// <summary>Who listens where, as ss(8) says.</summary>
internal static class ListeningSockets
{
    /// <summary>Addresses that a process listens on.</summary>
    public static async Task<IReadOnlyList<IPEndPoint>> OfAsync(int pid, CancellationToken cancellation)
    {
        var result = await CommandResult.RunAsync("ss", ["-Hltnp"], cancellation);
        return [.. result.Output.Split('\n')
            .Where(line => line.Contains($"pid={pid},", StringComparison.Ordinal))
            .Select(line => IPEndPoint.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3].Replace("*", "0.0.0.0", StringComparison.Ordinal)))];
    }

    /// <summary>The process that listens on a port; null when none does.</summary>
    public static int? OwnerOf(int port)
        => ListeningPorts.Describe(port)?.Split(' ') is ["pid", var pid, ..] ? int.Parse(pid, CultureInfo.InvariantCulture) : null;
}
