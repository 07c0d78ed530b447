using System.Net.Sockets;
using Decant.Names;

namespace Decant.Agent.Proxy;

/// <summary>
/// Looks whether a member can be reached, for as long as it is wanted ready: one that is down often, until it answers; one that is up only
/// where the backend has a check to ask.
/// </summary>
internal sealed class MemberCheck : IDisposable
{
    private const int Fall = 2;
    private static readonly TimeSpan WhileDown = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    private readonly ProxyBackend backend;
    private readonly ProxyMember member;
    private readonly TimeProvider time;
    private readonly CancellationTokenSource stop = new();
    private readonly SemaphoreSlim wentDown = new(0);

    private MemberCheck(ProxyBackend backend, ProxyMember member, TimeProvider time) => (this.backend, this.member, this.time) = (backend, member, time);

    /// <summary>Begins to look.</summary>
    public static MemberCheck Start(ProxyBackend backend, ProxyMember member, TimeProvider time)
    {
        var check = new MemberCheck(backend, member, time);
        _ = check.RunAsync();
        return check;
    }

    /// <summary>A request could not reach it.</summary>
    public void Wake() => wentDown.Release();

    /// <summary>Asks once.</summary>
    /// <param name="address">Where it is.</param>
    /// <param name="path">What to ask for; null: a connection is enough.</param>
    /// <param name="host">Host header.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <returns>Whether it is healthy, and what was found, in a few words.</returns>
    public static async Task<(bool Healthy, string Found)> ProbeAsync(
        MemberAddress address, string? path, string? host, TimeProvider time, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            if (path is null)
            {
                using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(address.Host, address.Port, either.Token);
                return (true, "accepts connections");
            }

            using var client = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false });
            using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{address}{path}");
            if (host is not null) request.Headers.Host = host;
            using var response = await client.SendAsync(request, either.Token);
            var status = (int)response.StatusCode;
            return (status is >= 200 and <= 399, $"{path} answers {status}");
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return (false, $"no answer within {Timeout.TotalSeconds:0} s");
        }
        catch (SocketException exception)
        {
            return (false, exception.Message);
        }
        catch (HttpRequestException exception)
        {
            return (false, (exception.InnerException ?? exception).Message);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => stop.Cancel();

    private async Task RunAsync()
    {
        try
        {
            for (var failures = 0; ;)
            {
                if (!member.IsUp) await Task.Delay(WhileDown, time, stop.Token);
                else if (backend.CheckPath is null) await wentDown.WaitAsync(stop.Token);
                else await wentDown.WaitAsync(backend.CheckEvery, stop.Token);

                var (healthy, found) = await ProbeAsync(member.Upstream.Address, backend.CheckPath, backend.CheckHost, time, stop.Token);
                failures = healthy ? 0 : failures + 1;
                if (healthy || !member.IsUp || failures >= Fall) backend.Judge(member, this, healthy, found);
            }
        }
        catch (OperationCanceledException)
        {
            // It is not wanted ready any more.
        }
        finally
        {
            stop.Dispose();
            wentDown.Dispose();
        }
    }
}
