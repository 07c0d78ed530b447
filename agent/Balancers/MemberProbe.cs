using System.Net.Sockets;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>
/// Whether a member accepts connections: what the agent finds out itself for balancers that have no judgement of their own to ask for
/// (open-source nginx knows only of requests that failed; Caddy keeps the outcome of its checks to itself).
/// </summary>
internal static class MemberProbe
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Connects and hangs up.</summary>
    /// <param name="address">What is not host:port (a unix socket, a placeholder) is not tried, and counts as accepting.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <returns>Null when it accepts; otherwise why not, for people.</returns>
    public static async Task<string?> WhyNotAsync(string address, CancellationToken cancellation)
    {
        if (!MemberAddress.TryParse(address, out var target, out _)) return null;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(Patience);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(target.Host, target.Port, patience.Token);
            return null;
        }
        catch (SocketException refused)
        {
            return refused.Message;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return $"no answer within {Patience.TotalSeconds:0.#} s";
        }
    }
}
