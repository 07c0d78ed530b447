using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Decant.Agent.Elixir;
using Decant.Errors;

namespace Decant.Agent.Health;

/// <summary>Asks an instance once whether it is healthy.</summary>
internal sealed class HealthProber(ReleaseScript script, TimeProvider time) : IDisposable
{
    private const int BodyLimit = 64 * 1024;

    // A connection for each check: it proves that the instance accepts, and none outlives an instance.
    private readonly HttpMessageInvoker http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        PooledConnectionLifetime = TimeSpan.Zero,
    });

    /// <summary>Asks once.</summary>
    /// <returns>Why it is not healthy, in a few words, or null when it is.</returns>
    public async Task<string?> ProbeAsync(HealthCheck check, ReleaseInSlot target, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(check.Timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            return check.Probe switch
            {
                HealthProbe.Http probe => await HttpAsync(probe, target.Spec.Port, both.Token),
                HealthProbe.Tcp => await TcpAsync(target.Spec.Port, both.Token),
                HealthProbe.Rpc probe => await RpcAsync(probe, target, check.Timeout, both.Token),
                _ => throw new InvalidOperationException($"probe {check.Probe.GetType().Name} is not known"),
            };
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            return $"no answer within {check.Timeout.TotalSeconds:0.###} s";
        }
        catch (SocketException exception)
        {
            return $"port {target.Spec.Port}: {exception.Message}";
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return (exception.InnerException ?? exception).Message;
        }
        catch (OperatorException exception)
        {
            // The slot's environment cannot be made: nobody can be asked.
            return exception.Error.Message;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    private async Task<string?> HttpAsync(HealthProbe.Http probe, int port, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{port}{probe.Path}");
        request.Headers.ConnectionClose = true;
        if (probe.Host is { } host) request.Headers.Host = host;
        using var response = await http.SendAsync(request, cancellation);
        var status = (int)response.StatusCode;
        if (probe.Status is { } wanted ? status != wanted : status is < 200 or > 299)
            return $"GET {probe.Path} answered {status}{Snippet(await BodyAsync(response, cancellation))}";
        return probe.BodyContains is { } text && !(await BodyAsync(response, cancellation)).Contains(text, StringComparison.Ordinal)
            ? $"GET {probe.Path} answered {status}, but without \"{text}\" in its body"
            : null;
    }

    private static async Task<string?> TcpAsync(int port, CancellationToken cancellation)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port, cancellation);
        return null;
    }

    private async Task<string?> RpcAsync(HealthProbe.Rpc probe, ReleaseInSlot target, TimeSpan timeout, CancellationToken cancellation)
    {
        var end = await script.RpcAsync(target, probe.Expression, timeout, null, cancellation);
        return end.Succeeded ? null
            : end.TimedOut ? $"rpc gave no answer within {timeout.TotalSeconds:0.###} s"
            : $"rpc exited with {end.ExitCode}: {end.TailText(1)}";
    }

    private static async Task<string> BodyAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellation);
        var buffer = ArrayPool<byte>.Shared.Rent(BodyLimit);
        try
        {
            var read = await stream.ReadAtLeastAsync(buffer.AsMemory(0, BodyLimit), BodyLimit, throwOnEndOfStream: false, cancellation);
            return Encoding.UTF8.GetString(buffer, 0, read);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static string Snippet(string body)
    {
        var line = body.Split('\n')[0].Trim();
        return line.Length == 0 ? "" : $" ({(line.Length > 100 ? line[..100] : line)})";
    }
}
