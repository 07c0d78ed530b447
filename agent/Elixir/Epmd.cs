using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Decant.Agent.Configuration;
using Decant.Agent.Releases;
using Decant.Agent.Supervision;

namespace Decant.Agent.Elixir;

/// <summary>
/// The Erlang port mapper of this host. The first distributed VM starts one if there is none, and it then lives and dies with that VM's
/// unit or container; so the agent starts one of its own, before any VM does, and it belongs to nobody.
/// </summary>
internal sealed partial class Epmd(AgentConfiguration configuration, ISupervisor supervisor, TimeProvider time, ILogger<Epmd> logger)
{
    private const byte NamesRequest = 110;

    /// <summary>A few thousand nodes.</summary>
    private const int MaxReply = 256 << 10;

    private static readonly TimeSpan Answer = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    /// <summary>Makes sure that an epmd runs before a distributed VM is started.</summary>
    /// <param name="target">Whose epmd program is used; that of the host when the release brings no ERTS.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task EnsureRunningAsync(ReleaseInSlot target, CancellationToken cancellation)
    {
        if (!target.Spec.Distribution || await NamesAsync(cancellation) is not null) return;
        var program = ProgramOf(target.Release);
        LogStarted(program, configuration.EpmdPort, await supervisor.StartPortMapperAsync(program, configuration.EpmdPort, cancellation));
        await WaitAsync(names => names is not null, TimeSpan.FromSeconds(5), cancellation);
    }

    /// <summary>Whether a node of that name is registered now; false when no epmd runs.</summary>
    public async Task<bool> IsRegisteredAsync(NodeName node, CancellationToken cancellation)
        => await NamesAsync(cancellation) is { } names && names.Contains(node.Name);

    /// <summary>
    /// Waits until the name is free. epmd drops a name when the VM's connection closes, which comes a moment after its exit; a VM that is
    /// started before that exits with "the name … seems to be in use by another Erlang node".
    /// </summary>
    /// <returns>Whether it is free.</returns>
    public Task<bool> WaitUntilFreeAsync(NodeName node, TimeSpan limit, CancellationToken cancellation)
        => WaitAsync(names => names is null || !names.Contains(node.Name), limit, cancellation);

    /// <summary>Registered names, or null when no epmd answers. NAMES_REQ of the distribution protocol (erts, "EPMD Protocol").</summary>
    private async Task<IReadOnlySet<string>?> NamesAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Answer);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, configuration.EpmdPort, limit.Token);
            var stream = client.GetStream();
            var request = new byte[3];
            BinaryPrimitives.WriteUInt16BigEndian(request, 1);
            request[2] = NamesRequest;
            await stream.WriteAsync(request, limit.Token);
            var reply = new byte[MaxReply];
            // It may be anybody who listens there.
            var length = await stream.ReadAtLeastAsync(reply, reply.Length, throwOnEndOfStream: false, limit.Token);
            if (length == reply.Length) return null;
            return Encoding.UTF8.GetString(reply.AsSpan(Math.Min(4, length), Math.Max(0, length - 4)))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => line.Split(' '))
                .Where(words => words is ["name", _, ..])
                .Select(words => words[1])
                .ToHashSet();
        }
        catch (Exception exception) when (exception is SocketException or IOException)
        {
            return null;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>epmd tells nobody when a name goes, so this looks again and again.</summary>
    private async Task<bool> WaitAsync(Func<IReadOnlySet<string>?, bool> condition, TimeSpan limit, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        while (!condition(await NamesAsync(cancellation)))
        {
            if (time.GetElapsedTime(began) > limit) return false;
            await Task.Delay(Look, time, cancellation);
        }

        return true;
    }

    private static string ProgramOf(StagedRelease release)
    {
        var own = Path.Combine(release.Root, $"erts-{release.ErtsVersion}", "bin", "epmd");
        return File.Exists(own) ? own : "/usr/bin/epmd";
    }

    [LoggerMessage(200, LogLevel.Information, "epmd started: {Program} on port {Port}, {Outcome}")]
    private partial void LogStarted(string program, int port, string outcome);
}
