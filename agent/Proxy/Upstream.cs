using System.Net;
using System.Text;
using Decant.Names;

namespace Decant.Agent.Proxy;

/// <summary>Connections to where a member is. Disposing it closes the idle ones; those in use end with their requests.</summary>
internal sealed class Upstream(MemberAddress address) : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Shorter than the 60 s after which Erlang's web servers close an idle connection: a request must not meet that.</summary>
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(20);

    private readonly HttpMessageInvoker client = new(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null,
        ConnectTimeout = ConnectTimeout,
        PooledConnectionIdleTimeout = IdleTimeout,
        // Header bytes go through as they are.
        RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
        ResponseHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
    });

    /// <summary>host:port.</summary>
    public MemberAddress Address => address;

    /// <summary>As the forwarder wants it.</summary>
    public string Prefix { get; } = $"http://{address}";

    /// <summary>Sends requests.</summary>
    public HttpMessageInvoker Client => client;

    /// <inheritdoc/>
    public void Dispose() => client.Dispose();
}
