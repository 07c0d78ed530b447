using Decant.Agent.Configuration;
using Decant.Agent.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Decant.Agent.Security;

/// <summary>Where callers come in: the unix socket, and TCP with mutual TLS, or on loopback without it where agent.yml asks for that.</summary>
internal static class AgentListeners
{
    /// <summary>Opens them. Every connection is known by its caller before anything that it says is read.</summary>
    public static void Open(KestrelServerOptions kestrel, ListenSettings settings, HostTls tls, Enrolment enrolment, Callers callers)
    {
        if (settings.Unix is { } path) kestrel.ListenUnixSocket(path, listen => Know(listen, callers));
        if (settings.Tcp is { } address)
        {
            kestrel.Listen(address, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                if (settings.Tls is not null) TlsListener.Secure(listen, tls, enrolment, callers);
                Know(listen, callers);
            });
        }

        ListenerLimits.Set(kestrel.Limits);
    }

    private static void Know(ListenOptions listen, Callers callers)
    {
        listen.Protocols = HttpProtocols.Http2;
        listen.Use(callers.Know);
    }
}
