using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Decant.Agent.Hosting;

/// <summary>What one caller, and all of them together, may take of the agent's memory and descriptors.</summary>
internal static class ListenerLimits
{
    /// <summary>Connections at once; one more is closed when it is accepted.</summary>
    public const int Connections = 256;

    /// <summary>Streams at once in a connection; a client of HTTP/2 waits, or opens another connection.</summary>
    public const int StreamsPerConnection = 100;

    /// <summary>Without a word from a caller for so long, it is asked whether it is there (an HTTP/2 ping).</summary>
    public static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(10);

    /// <summary>For the answer to that: then its connection is closed and its streams end. What it began goes on.</summary>
    public static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Sets them.</summary>
    public static void Set(KestrelServerLimits limits)
    {
        limits.MaxConcurrentConnections = Connections;
        limits.MinRequestBodyDataRate = null;
        limits.Http2.MaxStreamsPerConnection = StreamsPerConnection;
        // Uploads: with the default windows of 96 KiB and 128 KiB each one waits for the other side all the time. The connection's bounds what
        // all its streams may have sent that was not read yet.
        limits.Http2.InitialStreamWindowSize = 2 << 20;
        limits.Http2.InitialConnectionWindowSize = 4 << 20;
        // A caller whose machine is gone is noticed, and its streams end.
        limits.Http2.KeepAlivePingDelay = PingDelay;
        limits.Http2.KeepAlivePingTimeout = PingTimeout;
    }
}
